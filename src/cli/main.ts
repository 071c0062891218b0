#!/usr/bin/env node
/** The command line as a process. */
import { quietPipes } from "./output.ts";
import { runProgram } from "./run-program.ts";

quietPipes();
await runProgram(process.argv.slice(2));
