/**
 * Replies that grow together: one reading of the weights gives a token to each. What begins alike is read once, and a group
 * that began later may join.
 */
import type { GenerateEvent, GrowingReply } from "./generate.ts";
import type { TokenModel, TokenState } from "./token-model.ts";

export interface GroupMember {
  readonly reply: GrowingReply;
  /** Takes the events of the reply; the last one is of kind "end". */
  onEvents(events: readonly GenerateEvent[]): void;
}

export class ReplyGroup {
  readonly model: TokenModel;
  readonly #state: TokenState;
  #open: readonly GroupMember[];
  /** For each open member, which of the sequences read so far it continues; of `#read` many. */
  #rows: readonly number[];
  #read = 0;

  constructor(model: TokenModel, members: readonly GroupMember[]) {
    this.model = model;
    this.#state = model.start();
    this.#open = members;
    this.#rows = members.map(() => 0);
  }

  get open(): readonly GroupMember[] {
    return this.#open;
  }

  /** Groups of the same model can join once it has a first token, if the model allows it. */
  get joins(): boolean {
    return this.#state.join !== undefined && this.#read > 0;
  }

  /** Lets the open members of another group grow with these from now on; both `joins`, and that group ends. */
  async join(other: ReplyGroup): Promise<void> {
    const [own, others] = [[...new Set(this.#rows)], [...new Set(other.#rows)]];
    await this.#state.join?.(other.#state, own, others);
    const rowsOfOthers = other.#rows.map((row) => own.length + others.indexOf(row));
    this.#rows = [...this.#rows.map((row) => own.indexOf(row)), ...rowsOfOthers];
    this.#open = [...this.#open, ...other.#open];
    this.#read = own.length + others.length;
  }

  /** Gives each open member its next token. */
  async step(): Promise<void> {
    const next = different(this.#open.map(({ reply }, i) => ({ parent: this.#rows[i] ?? 0, unread: reply.unread })));
    const unchanged = next.parents.length === this.#read && next.parents.every((parent, i) => parent === i);
    const logits = await this.#state.read(next.unread, this.#read === 0 || unchanged ? undefined : next.parents);
    this.#read = next.unread.length;
    const shared = this.#read < this.#open.length;
    this.#rows = next.rows;
    for (const [i, { reply, onEvents }] of this.#open.entries()) {
      const own = logits[next.rows[i] ?? 0];
      if (own) onEvents([...reply.take(shared ? own.slice() : own)]);
    }
    this.keep(({ reply }) => !reply.ended);
  }

  /** Leaves out the members that are not wanted any more. */
  keep(wanted: (member: GroupMember) => boolean): void {
    const left = [...this.#open.entries()].filter(([, member]) => wanted(member));
    this.#rows = left.map(([i]) => this.#rows[i] ?? 0);
    this.#open = left.map(([, member]) => member);
  }
}

interface Sequences {
  readonly unread: (readonly number[])[];
  readonly parents: number[];
  /** For each of those asked about, which sequence it is. */
  readonly rows: number[];
}

/** Each sequence once: those that continue the same one with the same tokens are one. */
function different(sequences: readonly { readonly parent: number; readonly unread: readonly number[] }[]): Sequences {
  const known = new Map<string, number>();
  const [unread, parents]: [(readonly number[])[], number[]] = [[], []];
  const rows = sequences.map((one) => {
    const key = `${one.parent}:${one.unread.join()}`;
    const row = known.get(key);
    if (row !== undefined) return row;
    known.set(key, unread.length);
    parents.push(one.parent);
    return unread.push(one.unread) - 1;
  });
  return { unread, parents, rows };
}
