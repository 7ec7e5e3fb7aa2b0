// Compiles a module in V8: prints seconds of wall clock, of CPU, and the bytes of growth, as
// ../compile.c does. Which compiler it is, and that nothing is left for later, the flags say.
import { readFileSync } from "node:fs";

const status = (name) =>
  Number(readFileSync("/proc/self/status", "utf8").match(new RegExp(name + ":\\s*(\\d+)"))[1]) * 1024;
const before = status("VmRSS");
const bytes = readFileSync(process.argv[2]);
const cpu = process.cpuUsage();
const start = process.hrtime.bigint();
new WebAssembly.Module(bytes);
const wall = Number(process.hrtime.bigint() - start) / 1e9;
const used = process.cpuUsage(cpu);
console.log(wall.toFixed(6), ((used.user + used.system) / 1e6).toFixed(6), status("VmHWM") - before);
