// What differential.c prints, by V8.
import { readFileSync } from "node:fs";

const bits = new DataView(new ArrayBuffer(8));
const typed = {
  i32: (v) => `i32:${v | 0}`,
  i64: (v) => `i64:${BigInt.asIntN(64, v)}`,
  f32: (v) => {
    if (Number.isNaN(v)) return "f32:nan";
    bits.setFloat32(0, v);
    return `f32:${bits.getUint32(0).toString(16).padStart(8, "0")}`;
  },
  f64: (v) => {
    if (Number.isNaN(v)) return "f64:nan";
    bits.setFloat64(0, v);
    return `f64:${bits.getBigUint64(0).toString(16).padStart(16, "0")}`;
  },
};
const traps = [
  ["unreachable", "unreachable"],
  ["memory access out of bounds", "out of bounds memory access"],
  ["table index is out of bounds", "undefined element"],
  ["divide by zero", "integer divide by zero"],
  ["remainder by zero", "integer divide by zero"],
  ["divide result unrepresentable", "integer overflow"],
  ["float unrepresentable in integer range", "float"],
  ["null function or function signature mismatch", "call"],
  ["Maximum call stack", "call stack exhausted"],
];

const bytes = readFileSync(process.argv[2]);
const types = JSON.parse(process.argv[3]); // name -> [params, results]; imports by "module name"
const module = new WebAssembly.Module(bytes);
const imports = {};
for (const i of WebAssembly.Module.imports(module)) {
  const type = types[`${i.module} ${i.name}`][0][0];
  (imports[i.module] ??= {})[i.name] = (v) => console.log(`log ${typed[type](v)}`);
}
let instance;
try {
  instance = new WebAssembly.Instance(module, imports);
} catch (e) {
  console.log("instantiate: trap");
  process.exit(0);
}
const argument = {
  i32: (i) => Math.imul(i, 2654435761 | 0),
  i64: (i) => BigInt.asIntN(64, BigInt(i) * 0x9e3779b97f4a7c15n),
  f32: (i) => i * 1.5 - 2,
  f64: (i) => i * 1.25 - 3,
};
WebAssembly.Module.exports(module).forEach((e, i) => {
  if (e.kind !== "function") return;
  const [params, results] = types[e.name];
  const args = params.map((t, k) => argument[t](i + k));
  try {
    let r = instance.exports[e.name](...args);
    r = results.length === 0 ? [] : results.length === 1 ? [r] : [...r];
    console.log(`${e.name}:${r.map((v, k) => " " + typed[results[k]](v)).join("")}`);
  } catch (error) {
    const known = traps.find(([text]) => String(error.message).includes(text));
    console.log(`${e.name}: trap ${known ? known[1] : error.message}`);
  }
});
