/**
 * Errors that a person can act on. The message is one line:
 * `where: expected what, got what. Fix.`
 */

/** Exit codes of the command line: 0 done, 1 a bug, 2 wrong usage, 3 bad input, 4 bad set-up. */
export type ExitCode = 1 | 2 | 3 | 4;

export class SeedlingError extends Error {
  /** What the command line exits with when this error reaches it. */
  readonly exitCode: ExitCode;
  constructor(message: string, exitCode: ExitCode = 1, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.exitCode = exitCode;
  }
}

/** The caller asked for something that makes no sense: an unknown option, a wrong recipe key. */
export class UsageError extends SeedlingError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 2, options);
  }
}

/** A file, picture, code list or request is damaged or of the wrong kind. */
export class InputError extends SeedlingError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 3, options);
  }
}

/** The machine or installation lacks something: a file of a model folder, memory, disk space. */
export class SetupError extends SeedlingError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 4, options);
  }
}

/** A checkpoint's bytes or names do not fit; `problems` lists the first of them. */
export class CheckpointError extends InputError {
  readonly problems: readonly string[];
  constructor(message: string, problems: readonly string[] = [], options?: ErrorOptions) {
    super(message, options);
    this.problems = problems;
  }
}

/** The worker thread ended unexpectedly, and what was open in it is lost. Open the model again. */
export class RuntimeEndedError extends SeedlingError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 1, options);
  }
}

/** A shape rule failed while a graph was built. A programming or configuration error. */
export class ShapeError extends SeedlingError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 2, options);
  }
}
