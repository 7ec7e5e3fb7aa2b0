// Runs one export of a module in V8: prints the result, then the milliseconds of each call.
import { readFileSync } from "node:fs";

const [file, name, rounds, repeat] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(file));
const { exports } = new WebAssembly.Instance(module, {});
for (let i = 0; i < Number(repeat ?? 1); i++) {
  const start = process.hrtime.bigint();
  const result = exports[name](Number(rounds ?? 1));
  const end = process.hrtime.bigint();
  if (i === 0) console.log(result >>> 0);
  console.log(`time_ms ${(Number(end - start) / 1e6).toFixed(3)}`);
}
