/**
 * Python pickles as data. The machine below knows plain containers and the functions it is handed; it imports nothing,
 * executes nothing, and refuses every other name or instruction. @see Python's pickletools.py for the instructions
 */

import { CheckpointError } from "../base/errors.ts";
import { quote } from "../base/one-line.ts";
import { CALL_ITEMS, DICT_ITEMS, LIST_ITEMS, PickleBudget } from "./pickle-budget.ts";

/** A Python callable that is understood. */
export class PickleFunction {
  readonly name: string;
  /** Its work must be bounded by its arguments and the lengths of the lists among them, which have been paid for. */
  readonly call: (args: unknown[]) => unknown;
  constructor(name: string, call: (args: unknown[]) => unknown) {
    this.name = name;
    this.call = call;
  }
}

export interface PickleWorld {
  /** What a global name such as "torch FloatStorage" stands for; undefined refuses the file. */
  globals: ReadonlyMap<string, unknown>;
  /** What a persistent id (here: a storage record) stands for. */
  persistent(id: unknown): unknown;
}

const MARK = Symbol("mark");

const utf8 = new TextDecoder();

/**
 * Tuples and lists become arrays, dicts become Maps, None null; whole numbers beyond 2^53 become bigint.
 * @throws CheckpointError naming the forbidden global or instruction, where the pickle is damaged, or the budget that
 *   it exceeds.
 */
export function unpickle(bytes: Uint8Array, where: string, { globals, persistent }: PickleWorld): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: unknown[] = [];
  const memo: unknown[] = []; // with holes where a writer left numbers out
  let remembered = 0;
  const budget = new PickleBudget(where);
  let at = 0;

  const fail = (problem: string): never => {
    throw new CheckpointError(`${where}: damaged pickle: ${problem} at byte ${at}.`);
  };
  /** The offset of the next `n` bytes, which are consumed. */
  const skip = (n: number): number => {
    if (n > bytes.length - at) fail("cut short");
    at += n;
    return at - n;
  };
  const text = (n: number) => utf8.decode(bytes.subarray(skip(n), at));
  const line = () => {
    const end = bytes.indexOf(10, at);
    const value = text(end < 0 ? bytes.length : end - at);
    skip(1);
    return value;
  };
  const pop = (): unknown => {
    if (stack.length === 0 || stack.at(-1) === MARK) fail("nothing to take");
    return stack.pop();
  };
  const popToMark = (): unknown[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) fail("no mark");
    budget.spend(stack.length - mark);
    const items = stack.splice(mark);
    items.shift();
    return items;
  };
  const popMany = (n: number) => {
    budget.spend(n + 1);
    const items = new Array<unknown>(n);
    for (let i = n - 1; i >= 0; i--) items[i] = pop();
    return items;
  };
  const list = (): unknown[] => {
    const top = stack.at(-1);
    return Array.isArray(top) ? top : fail("expected a list");
  };
  const setItems = (items: unknown[]) => {
    const top = stack.at(-1);
    if (!(top instanceof Map) || items.length % 2 !== 0) return fail("expected a dict and pairs");
    for (let i = 0; i < items.length; i += 2) {
      if (typeof items[i] === "bigint") fail("a dict key beyond 2^53"); // all of them can collide
      budget.key(items[i]);
      top.set(items[i], items[i + 1]);
    }
  };
  const append = (items: unknown[]) => {
    const target = list();
    for (const item of items) target.push(item);
  };
  const recall = (key: number) => (key in memo ? stack.push(memo[key]) : fail("unknown memo"));
  const remember = (key: number) => {
    budget.remember(key);
    if (stack.length === 0 || stack.at(-1) === MARK) fail("nothing to remember");
    if (!(key in memo)) remembered++;
    memo[key] = stack.at(-1);
  };
  const pushGlobal = (module: unknown, name: unknown) => {
    if (typeof module !== "string" || typeof name !== "string") return fail("a name that is not text");
    const path = `${module} ${name}`;
    if (!globals.has(path)) {
      const dotted = quote(path.replace(" ", "."));
      throw new CheckpointError(
        `${where}: expected tensors and plain values, got the Python name ${dotted}. Nothing was executed; save a state dict instead.`,
      );
    }
    stack.push(globals.get(path));
  };
  const reduce = () => {
    const args = pop();
    const callee = pop();
    if (!(callee instanceof PickleFunction) || !Array.isArray(args))
      return fail("a call of something that is not a function");
    spendOn(args);
    for (const arg of args) if (Array.isArray(arg)) budget.spend(arg.length);
    stack.push(callee.call(args));
  };
  /** The same list can be an argument any number of times, so its length is paid for each time. */
  const spendOn = (args: unknown) => budget.spend(CALL_ITEMS + (Array.isArray(args) ? args.length : 0));
  /** Python sets attributes here; on a dict (torch keeps version notes there) they are dropped. */
  const build = () => {
    pop();
    if (!(stack.at(-1) instanceof Map)) fail("attributes for something that is not a dict");
  };

  for (;;) {
    budget.step(stack.length);
    const opcode = view.getUint8(skip(1));
    switch (opcode) {
      case 0x80: // PROTO
        if (view.getUint8(skip(1)) > 5) fail("unknown protocol");
        break;
      case 0x95: // FRAME
        skip(8);
        break;
      case 0x2e: {
        // STOP
        const value = pop();
        return stack.length === 0 ? value : fail("values left over");
      }
      case 0x28: // MARK
        stack.push(MARK);
        break;
      case 0x30: // POP
        pop();
        break;
      case 0x4e: // NONE
        stack.push(null);
        break;
      case 0x88: // NEWTRUE
        stack.push(true);
        break;
      case 0x89: // NEWFALSE
        stack.push(false);
        break;
      case 0x4a: // BININT
        stack.push(view.getInt32(skip(4), true));
        break;
      case 0x4b: // BININT1
        stack.push(view.getUint8(skip(1)));
        break;
      case 0x4d: // BININT2
        stack.push(view.getUint16(skip(2), true));
        break;
      case 0x8a: {
        // LONG1
        const length = view.getUint8(skip(1));
        stack.push(littleEndian(bytes.subarray(skip(length), at)));
        break;
      }
      case 0x47: // BINFLOAT
        stack.push(view.getFloat64(skip(8), false));
        break;
      case 0x58: // BINUNICODE
        stack.push(text(view.getUint32(skip(4), true)));
        break;
      case 0x8c: // SHORT_BINUNICODE
        stack.push(text(view.getUint8(skip(1))));
        break;
      case 0x55: // SHORT_BINSTRING
        stack.push(text(view.getUint8(skip(1))));
        break;
      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
        budget.spend(LIST_ITEMS);
        stack.push([]);
        break;
      case 0x7d: // EMPTY_DICT
        budget.spend(DICT_ITEMS);
        stack.push(new Map());
        break;
      case 0x85: // TUPLE1
        stack.push(popMany(1));
        break;
      case 0x86: // TUPLE2
        stack.push(popMany(2));
        break;
      case 0x87: // TUPLE3
        stack.push(popMany(3));
        break;
      case 0x74: // TUPLE
        stack.push(popToMark());
        break;
      case 0x61: // APPEND
        append(popMany(1));
        break;
      case 0x65: // APPENDS
        append(popToMark());
        break;
      case 0x73: // SETITEM
        setItems(popMany(2));
        break;
      case 0x75: // SETITEMS
        setItems(popToMark());
        break;
      case 0x71: // BINPUT
        remember(view.getUint8(skip(1)));
        break;
      case 0x72: // LONG_BINPUT
        remember(view.getUint32(skip(4), true));
        break;
      case 0x94: // MEMOIZE
        remember(remembered);
        break;
      case 0x68: // BINGET
        recall(view.getUint8(skip(1)));
        break;
      case 0x6a: // LONG_BINGET
        recall(view.getUint32(skip(4), true));
        break;
      case 0x63: // GLOBAL
        pushGlobal(line(), line());
        break;
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = popMany(2);
        pushGlobal(module, name);
        break;
      }
      case 0x51: {
        // BINPERSID
        const id = pop();
        spendOn(id);
        stack.push(persistent(id));
        break;
      }
      case 0x52: // REDUCE
        reduce();
        break;
      case 0x62: // BUILD
        build();
        break;
      default:
        fail(`forbidden or unknown instruction 0x${opcode.toString(16).padStart(2, "0")}`);
    }
  }
}

/** Two's complement, as Python stores its long integers. */
function littleEndian(bytes: Uint8Array): number | bigint {
  if (bytes.length === 0) return 0;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
  const bits = BigInt(`0x${digits.reverse().join("")}`);
  const value = BigInt.asIntN(bytes.length * 8, bits);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
