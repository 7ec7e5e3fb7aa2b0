// Calls between JavaScript and WebAssembly in V8. Prints "name nanoseconds" for each in each round.
// usage: node --no-liftoff calls.mjs calls.wasm [ROUNDS [CALLS]]
import { readFileSync } from 'node:fs';

const rounds = Number(process.argv[3] ?? 100), calls = Number(process.argv[4] ?? 100000);
const env = { host0: () => {}, host4: (a, b, c, d) => (a + b + c + d) | 0 };
const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const { wasm0, wasm4, loop0, loop4 } = new WebAssembly.Instance(module, { env }).exports;
let sink = 0;

const measures = {
  entry0: () => { for (let i = 0; i < calls; i++) wasm0(); },
  entry4: () => { for (let i = 0; i < calls; i++) sink = (sink + wasm4(i, 2, 3, i)) | 0; },
  host0: () => loop0(calls),
  host4: () => { sink ^= loop4(calls); },
};
for (let n = 0; n < rounds + 50; n++) {  // the first ones warm up
  for (const [name, run] of Object.entries(measures)) {
    const start = process.hrtime.bigint();
    run();
    const taken = process.hrtime.bigint() - start;
    if (n >= 50) console.log(`${name} ${Number(taken) / calls}`);
  }
}
console.log(sink === 1 ? 'done!' : 'done');
