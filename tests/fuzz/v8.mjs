// V8's side of the differential fuzzer: see subject.c. A request is a line of JSON: the module's path,
// whether to run it, and the types of its imports and exports, which JavaScript cannot ask for.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const MAX_EXPORTS = 400, HASHED = 1 << 20, HASHED_END = 1 << 16, MAX_PAGES = 2048;
const bits = new DataView(new ArrayBuffer(8));
const format = {
  i32: (v) => ` i32:${v | 0}`,
  i64: (v) => ` i64:${BigInt.asIntN(64, v)}`,
  f32: (v) => {
    if (Number.isNaN(v)) return " f32:nan";
    bits.setFloat32(0, v);
    return ` f32:${bits.getUint32(0).toString(16).padStart(8, "0")}`;
  },
  f64: (v) => {
    if (Number.isNaN(v)) return " f64:nan";
    bits.setFloat64(0, v);
    return ` f64:${bits.getBigUint64(0).toString(16).padStart(16, "0")}`;
  },
  funcref: (v) => (v === null ? " null" : " ref"),
  externref: (v) => (v === null || v === undefined ? " null" : " ref"),
};
const traps = [
  ["unreachable", "unreachable"],
  ["memory access out of bounds", "out of bounds memory access"],
  ["table index is out of bounds", "undefined element"],
  ["table access out of bounds", "out of bounds table access"],
  ["segment out of bounds", "segment"],
  ["segment is out of bounds", "segment"],
  ["divide by zero", "integer divide by zero"],
  ["remainder by zero", "integer divide by zero"],
  ["divide result unrepresentable", "integer overflow"],
  ["float unrepresentable in integer range", "float"],
  ["null function or function signature", "call"],
  ["unaligned", "unaligned atomic"],
  ["Atomics.wait cannot be called", "expected shared memory"],
  ["Maximum call stack", "call stack exhausted"],
];
const trapOf = (error) =>
  error instanceof WebAssembly.Exception
    ? "uncaught exception"
    : (traps.find(([text]) => String(error.message).includes(text)) ?? [0, `? ${error}`])[1];
const arguments_ = {
  i32: (i, round) => (round ? Math.imul(i, 2654435761 | 0) : i),
  i64: (i, round) => (round ? BigInt.asIntN(64, BigInt(i) * 0x9e3779b97f4a7c15n) : BigInt(i)),
  f32: (i, round) => (round ? i * 1.5 - 2 : i),
  f64: (i, round) => (round ? i * 1.25 - 3 : i),
  funcref: () => null,
  externref: () => null,
};
const numbers = { i32: 7, i64: 7n, f32: 1.5, f64: 2.5, funcref: null, externref: null };
const globals = { i32: 666, i64: 666n, f32: 666.5, f64: 666.5, funcref: null, externref: null };

let out = [];
const put = (line) => out.push(line);

function standIn(i) {
  switch (i.kind) {
    case 0: {
      const [params, results] = i.sig;
      if (params.length > 64 || results.length > 1 || ![...params, ...results].every((t) => t in numbers))
        throw new WebAssembly.LinkError();
      const log = params.length === 1 && results.length === 0 && params[0] in globals &&
        !params[0].endsWith("ref");
      return (v) => {
        if (log) put(`log${format[params[0]](v)}`);
        return results.length ? numbers[results[0]] : undefined;
      };
    }
    case 1:
      if (i.min > 100000) throw new WebAssembly.LinkError();
      return new WebAssembly.Table({ element: i.type === "funcref" ? "anyfunc" : i.type, initial: i.min,
        ...(i.max === null ? {} : { maximum: Math.min(i.max, 4294967295) }) }, null);
    case 2: {
      if (i.min > MAX_PAGES || i.flags & 4) throw new WebAssembly.LinkError();
      const shared = (i.flags & 2) !== 0;
      const maximum = Math.min(i.max ?? MAX_PAGES, MAX_PAGES);
      return new WebAssembly.Memory({ initial: i.min, shared,
        ...(i.max === null ? {} : { maximum }) });
    }
    case 3:
      return new WebAssembly.Global({ value: i.type === "funcref" ? "anyfunc" : i.type,
        mutable: i.mutable === 1 }, globals[i.type]);
    default:
      throw new WebAssembly.LinkError();
  }
}

function hashWords(h, words) {
  for (let k = 0; k < words.length; k++) {
    h = Math.imul(h ^ words[k], 0x01000193);
    h ^= h >>> 15;
  }
  return h;
}

function hashMemory(buffer) {
  const size = buffer.byteLength;
  let h = hashWords(0x811c9dc5 | 0, new Uint32Array(buffer, 0, Math.min(size, HASHED) / 4));
  if (size > HASHED) h = hashWords(h, new Uint32Array(buffer, size - HASHED_END, HASHED_END / 4));
  return (h >>> 0).toString(16).padStart(8, "0");
}

function run(module, request) {
  let instance;
  try {
    const imports = {};
    for (const i of request.imports) {
      const names = (imports[i.module] ??= Object.create(null));
      names[i.name] ??= standIn(i);
    }
    instance = new WebAssembly.Instance(module, imports);
  } catch (error) {
    put(`instantiate: ${error instanceof WebAssembly.LinkError || error instanceof TypeError
      ? "unlinkable" : error instanceof WebAssembly.RuntimeError || error instanceof WebAssembly.Exception ||
        String(error).includes("call stack") ? `trap ${trapOf(error)}` : "limit"}`);
    return;
  }
  put("instantiate: ok");
  const told = [];
  const state = () => {
    request.exports.slice(0, MAX_EXPORTS).forEach((e, i) => {
      let text;
      if (e.kind === 2) {
        const buffer = instance.exports[e.name].buffer;
        text = ` ${buffer.byteLength} ${hashMemory(buffer)}`;
      } else if (e.kind === 3) {
        text = format[e.type] ? format[e.type](instance.exports[e.name].value) : " ?";
      } else return;
      if (text !== told[i]) put(`${e.kind === 2 ? "memory" : "global"} ${i}:${text}`);
      told[i] = text;
    });
  };
  state();
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < request.exports.length && i < MAX_EXPORTS; i++) {
      const e = request.exports[i];
      if (e.kind !== 0) continue;
      const [params, results] = e.sig;
      if (params.length > 64 || results.length > 64 || ![...params, ...results].every((t) => t in numbers))
        continue;
      try {
        let r = instance.exports[e.name](...params.map((t, k) => arguments_[t](i + k, round)));
        r = results.length === 0 ? [] : results.length === 1 ? [r] : [...r];
        put(`${i}#${round}:${r.map((v, k) => format[results[k]](v)).join("")}`);
      } catch (error) {
        const trap = trapOf(error);
        put(`${i}#${round}: trap ${trap}`);
        if (trap === "call stack exhausted") return;
      }
      state();
    }
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  out = [];
  let module;
  try {
    module = new WebAssembly.Module(readFileSync(request.path));
    put("accept");
  } catch (error) {
    put(`reject ${String(error.message).replaceAll("\n", " ")}`);
  }
  if (module && request.run) run(module, request);
  put(".");
  process.stdout.write(out.join("\n") + "\n");
}
