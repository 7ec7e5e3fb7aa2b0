// A program in Rust on WASI: collections, strings, closures, files, arguments, errors, time.
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant, SystemTime};

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Circle { r: f64 },
    Rect(f64, f64),
}

trait Area {
    fn area(&self) -> f64;
}

impl Area for Shape {
    fn area(&self) -> f64 {
        match self {
            Shape::Circle { r } => std::f64::consts::PI * r * r,
            Shape::Rect(a, b) => a * b,
        }
    }
}

fn sieve(n: usize) -> Vec<usize> {
    let mut is = vec![true; n + 1];
    (2..=n)
        .filter(|&i| {
            if is[i] {
                (i * i..=n).step_by(i).for_each(|k| is[k] = false);
            }
            is[i]
        })
        .collect()
}

fn files() -> io::Result<()> {
    fs::create_dir_all("/d/rust/deep")?;
    let mut f = File::create("/d/rust/a.txt")?;
    for i in 0..100 {
        writeln!(f, "line {i}")?;
    }
    f.sync_all()?;
    println!("length {}", fs::metadata("/d/rust/a.txt")?.len());
    let lines: Vec<String> = BufReader::new(File::open("/d/rust/a.txt")?).lines().collect::<Result<_, _>>()?;
    println!("{} lines, last {:?}", lines.len(), lines.last());
    let mut f = OpenOptions::new().read(true).write(true).open("/d/rust/a.txt")?;
    f.seek(SeekFrom::End(-3))?;
    let mut end = String::new();
    f.read_to_string(&mut end)?;
    println!("end {end:?}, at {}", f.stream_position()?);
    f.set_len(5)?;
    fs::rename("/d/rust/a.txt", "/d/rust/deep/b.txt")?;
    fs::copy("/d/rust/deep/b.txt", "/d/rust/c.txt")?;
    println!("{:?}", fs::read_to_string("/d/rust/c.txt")?);
    let mut names: Vec<_> = fs::read_dir("/d/rust")?.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    println!("{names:?}");
    println!("{:?}", File::open("/d/rust/none").map_err(|e| e.kind()).err());
    println!("{:?}", fs::remove_dir("/d/rust").map_err(|e| e.kind() != io::ErrorKind::NotFound).err());
    fs::remove_dir_all("/d/rust")?;
    println!("gone {}", fs::metadata("/d/rust").is_err());
    println!("outside {}", fs::read("/etc/passwd").is_err());
    Ok(())
}

fn main() {
    let shapes = vec![Shape::Circle { r: 2.0 }, Shape::Rect(3.0, 4.5)];
    println!("{shapes:?} {:.3}", shapes.iter().map(Area::area).sum::<f64>());
    let primes = sieve(10_000);
    println!("{} primes, last {}", primes.len(), primes[primes.len() - 1]);
    let mut count: HashMap<char, usize> = HashMap::new();
    "the quick brown fox jumps over the lazy dog".chars().for_each(|c| *count.entry(c).or_default() += 1);
    let sorted: BTreeMap<_, _> = count.into_iter().filter(|(_, n)| *n > 2).collect();
    println!("{sorted:?}");
    let mut queue: VecDeque<u64> = (1..=20).collect();
    while queue.len() > 1 {
        let x = queue.pop_front().unwrap() * 31 + queue.pop_front().unwrap();
        queue.push_back(x % 1_000_003);
    }
    println!("queue {queue:?}");
    let text: String = "grüße, 世界!".chars().rev().collect();
    println!("{text} {} {}", text.len(), text.to_uppercase());
    println!("{:?} {:?}", "12x".parse::<i32>().is_err(), "3.5e2".parse::<f64>());
    println!("{:?} {:?}", 250u8.checked_add(10), i64::MAX.wrapping_add(1));
    let boxed: Vec<Box<dyn Fn(i32) -> i32>> = vec![Box::new(|x| x + 1), Box::new(move |x| x * primes.len() as i32)];
    println!("{:?}", boxed.iter().map(|f| f(10)).collect::<Vec<_>>());
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(20));
    println!("slept {}", start.elapsed() >= Duration::from_millis(20));
    println!("clock {}", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() > 1_600_000_000);
    println!("{:?} {:?}", std::env::args().skip(1).collect::<Vec<_>>(), std::env::var("GREETING"));
    files().expect("files");
    let mut input = String::new();
    io::stdin().read_to_string(&mut input).unwrap();
    println!("input {input:?}");
    eprintln!("to standard error");
    std::process::exit(5);
}
