/**
 * The few functions of MPI that training needs, called in the shared library of the MPI that started the processes: Open
 * MPI, or MPICH and those with its binary interface (Intel MPI, MVAPICH, Cray). The two differ in what a handle is: in Open
 * MPI the address of an object that the library exports, in MPICH a number (MPI 4.0, appendix A; MPICH ABI initiative).
 */
import type { LibraryHandle } from "koffi";
import { SetupError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";

/** A communicator, data type, operation or request. */
type Handle = number | bigint;

interface Constants {
  readonly handle: "int" | "intptr_t";
  readonly world: Handle;
  readonly float: Handle;
  readonly byte: Handle;
  readonly sum: Handle;
  /** In place of a send buffer: the data are already where the result goes. */
  readonly inPlace: Handle;
}

const MPICH: Constants = {
  handle: "int",
  world: 0x44000000,
  float: 0x4c00040a,
  byte: 0x4c00010d,
  sum: 0x58000003,
  inPlace: -1,
};

/** Bytes for what is read back from the library; no MPI needs more (MPI_MAX_LIBRARY_VERSION_STRING is at most 8,192). */
const ROOM = 8192;

export class Mpi {
  /** What the library calls itself: "Open MPI v4.1.4". */
  readonly version: string;
  readonly #library: LibraryHandle;
  readonly #constants: Constants;
  /** A communicator of our own, for messages apart from those of training. */
  #beside: Handle = 0;
  readonly #call = new Map<string, (...args: unknown[]) => number>();

  private constructor(library: LibraryHandle, version: string, constants: Constants) {
    this.#library = library;
    this.version = version;
    this.#constants = constants;
  }

  /**
   * The first of some libraries that can be loaded, by file name or path.
   * @throws SetupError if there is none, if it is of an unknown MPI, or if the package koffi is not installed
   */
  static async open(names: readonly string[]): Promise<Mpi> {
    const koffi = await import("koffi").catch(() => undefined);
    if (!koffi)
      throw new SetupError(
        "MPI: expected the package koffi, which calls it, found none. Install it: npm install koffi.",
      );
    let failure: unknown;
    for (const name of names) {
      let library: LibraryHandle;
      try {
        library = koffi.load(name);
      } catch (error) {
        failure = error;
        continue;
      }
      const text = new Uint8Array(ROOM);
      const length = new Int32Array(1);
      library.func("MPI_Get_library_version", "int", ["void *", "void *"])(text, length);
      const version = new TextDecoder().decode(text.subarray(0, length[0])).replace(/[,\n].*/s, "");
      if (/^Open MPI/.test(version)) {
        const address = (symbol: string): bigint => koffi.address(library.symbol(symbol, "uint8_t"));
        const constants: Constants = {
          handle: "intptr_t",
          world: address("ompi_mpi_comm_world"),
          float: address("ompi_mpi_float"),
          byte: address("ompi_mpi_byte"),
          sum: address("ompi_mpi_op_sum"),
          inPlace: 1,
        };
        return new Mpi(library, version, constants);
      }
      if (/MPICH|Intel|MVAPICH|CRAY/i.test(version)) return new Mpi(library, version.replace(/\s+/g, " "), MPICH);
      throw new SetupError(`${name}: expected Open MPI or MPICH, got ${version}. Start the ranks with one of these.`);
    }
    throw new SetupError(
      `MPI: expected one of the libraries ${names.join(", ")}, could load none (${reason(failure)}). Install the MPI of your mpirun, or set SEEDLING_MPI to the path of its library.`,
    );
  }

  /** Call once in a process, before anything else. */
  init(): void {
    this.#run("MPI_Init", ["void *", "void *"], null, null);
    const { handle, world } = this.#constants;
    const out = new BigInt64Array(1);
    this.#run("MPI_Comm_dup", [handle, "void *"], world, out);
    this.#beside = handle === "int" ? new Int32Array(out.buffer)[0]! : out[0]!;
  }

  get rank(): number {
    return this.#number("MPI_Comm_rank");
  }

  get size(): number {
    return this.#number("MPI_Comm_size");
  }

  /** Adds up over all ranks, in place. Blocks the thread. */
  allReduce(values: Float32Array): void {
    const { handle, inPlace, float, sum, world } = this.#constants;
    const types = ["intptr_t", "void *", "int", handle, handle, handle];
    this.#run("MPI_Allreduce", types, inPlace, values, values.length, float, sum, world);
  }

  /** The bytes of all ranks, one after the other. Blocks the thread. */
  allGather(own: Uint8Array): Uint8Array<ArrayBuffer> {
    const { handle, byte, world } = this.#constants;
    const all = new Uint8Array(own.length * this.size);
    const types = ["void *", "int", handle, "void *", "int", handle, handle];
    this.#run("MPI_Allgather", types, own, own.length, byte, all, own.length, byte, world);
    return all;
  }

  /**
   * Begins a barrier; the function that it returns says whether all ranks have reached it.
   * @param beside whether on the communicator of our own, so that no barrier of training is mistaken for it
   */
  barrier(beside = false): () => boolean {
    const { handle, world } = this.#constants;
    const request = new BigInt64Array(1);
    const [flag, status] = [new Int32Array(1), new Uint8Array(ROOM)];
    this.#run("MPI_Ibarrier", [handle, "void *"], beside ? this.#beside : world, request);
    return () => {
      this.#run("MPI_Test", ["void *", "void *", "void *"], request, flag, status);
      return flag[0] !== 0;
    };
  }

  /** Ends MPI; all ranks call it. */
  finalize(): void {
    this.#run("MPI_Finalize", []);
  }

  /** Ends all ranks at once. */
  abort(code: number): void {
    const { handle, world } = this.#constants;
    this.#run("MPI_Abort", [handle, "int"], world, code);
  }

  #number(name: string): number {
    const out = new Int32Array(1);
    this.#run(name, [this.#constants.handle, "void *"], this.#constants.world, out);
    return out[0]!;
  }

  /** MPI ends the process itself if one of its functions fails (MPI_ERRORS_ARE_FATAL is the default). */
  #run(name: string, types: readonly string[], ...args: readonly unknown[]): void {
    let call = this.#call.get(name);
    if (!call) {
      call = this.#library.func(name, "int", [...types]) as (...args: unknown[]) => number;
      this.#call.set(name, call);
    }
    const code = call(...args);
    if (code !== 0) throw new SetupError(`${name}: expected 0, got error ${code} of ${this.version}.`);
  }
}
