// A program in AssemblyScript on WASI: strings, maps, classes, sorting, closures without capture.
abstract class Shape {
  abstract area(): f64;
}
class Circle extends Shape {
  constructor(private r: f64) { super(); }
  area(): f64 { return Math.PI * this.r * this.r; }
}
class Rect extends Shape {
  constructor(private a: f64, private b: f64) { super(); }
  area(): f64 { return this.a * this.b; }
}

const shapes: Shape[] = [new Circle(2), new Rect(3, 4.5)];
let sum: f64 = 0;
for (let i = 0; i < shapes.length; i++) sum += shapes[i].area();
console.log("area " + sum.toString());

const count = new Map<string, i32>();
const words = "the cat and the dog and the bird".split(" ");
for (let i = 0; i < words.length; i++) {
  count.set(words[i], count.has(words[i]) ? count.get(words[i]) + 1 : 1);
}
const keys = count.keys().sort();
console.log(keys.map<string>((k: string): string => k + "=" + count.get(k).toString()).join(" "));

const numbers = new Array<i32>(1000);
for (let i = 0; i < 1000; i++) numbers[i] = (i * 7919) % 1009;
numbers.sort((a: i32, b: i32): i32 => a - b);
console.log(numbers.slice(0, 5).toString() + " " + numbers[999].toString());

function fib(n: i32): u64 {
  let a: u64 = 0, b: u64 = 1;
  for (let i = 0; i < n; i++) { const t = a + b; a = b; b = t; }
  return a;
}
console.log(fib(90).toString() + " " + (0.1 + 0.2).toString() + " " + i32.MIN_VALUE.toString());
console.log("grüße, 世界".toUpperCase() + " " + String.UTF8.byteLength("世界").toString());
console.log("a,b,,c".split(",").length.toString() + " " + "x".repeat(5).padStart(8, "-"));

let made = 0;
for (let i = 0; i < 20000; i++) made += i.toString().length;
console.log("made " + made.toString());

console.log(process.argv.slice(1).join("|") + " " + process.env.has("GREETING").toString());
console.log((Date.now() > 1600000000000).toString());
process.stdout.write("no newline");
process.stdout.write("\n");
process.stderr.write("to standard error\n");
process.exit(4);
