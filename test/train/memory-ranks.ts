/** Ranks within one process, for tests of what does not depend on MPI. */
import type { Communicator } from "../../src/distributed/communicator.ts";

export function memoryRanks(size: number): Communicator[] {
  let waiting: { readonly own: Uint8Array; readonly resolve: (all: Uint8Array[]) => void }[] = [];
  let arrived = 0;
  const meet = (rank: number, own: Uint8Array): Promise<Uint8Array[]> =>
    new Promise((resolve) => {
      waiting[rank] = { own: own.slice(), resolve };
      if (++arrived < size) return;
      const all = waiting;
      [waiting, arrived] = [[], 0];
      for (const one of all) one.resolve(all.map(({ own }) => own));
    });
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    async sum(values) {
      const all = await meet(rank, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      const floats = all.map((bytes) => new Float32Array(bytes.buffer));
      for (const i of values.keys()) values[i] = floats.reduce((sum, other) => Math.fround(sum + other[i]!), 0);
    },
    gather: async (own) => (await meet(rank, own)).map((bytes) => bytes.slice()),
    barrier: async () => void (await meet(rank, new Uint8Array())),
  }));
}
