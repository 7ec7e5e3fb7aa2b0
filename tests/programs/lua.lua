-- What a Lua program of everyday does; every line printed is known. Given a folder as /d.
local function section(name) print("-- " .. name) end

section("strings")
print(("hello world"):gsub("o", "0"))
print(("key = value, other=thing"):gsub("(%w+)%s*=%s*(%w+)", "%2=%1"))
print(string.format("%5d|%-5s|%05.1f|%x|%q|%s", 42, "ab", 3.14159, 255, 'a "b"\n', true))
print(("x"):rep(5, "-"), #("abc"):rep(1000), ("Straße"):upper(), ("abc"):reverse())
print(string.byte("A"), string.char(72, 105), ("%d items"):format(3), ("a,b,,c"):find(",", 1, true))
for word in ("one two  three"):gmatch("%a+") do io.write("<", word, ">") end print()
print(("  trim  "):match("^%s*(.-)%s*$") .. "|", tostring(1e15), 2^53, 10 // 3, -7 % 3, 7 / 2, 1 << 40)
print(utf8.len("häß€"), utf8.char(8364), #utf8.char(0x10ffff), utf8.codepoint("€", 1))
print(string.pack("<i4s2", 7, "xyz"):byte(1, -1))
print(tonumber("0x1p4"), tonumber("  12  "), tonumber("z", 36), tonumber("9z"), math.tointeger(3.0))

section("tables")
local t = {}
for i = 1, 200 do t[i] = (i * 7919) % 211 end
table.sort(t)
print(t[1], t[100], t[200], #t, table.concat(t, ",", 1, 8))
table.sort(t, function(a, b) return a > b end)
print(t[1], t[200], table.concat({table.unpack(t, 1, 5)}, " "))
table.insert(t, 1, "front") table.remove(t) print(t[1], #t, select("#", table.unpack(t, 1, 10)))
local words, keys = {}, {}
for w in ("the cat and the dog and the bird"):gmatch("%a+") do words[w] = (words[w] or 0) + 1 end
for k in pairs(words) do keys[#keys + 1] = k end
table.sort(keys, function(a, b) if words[a] ~= words[b] then return words[a] > words[b] end return a < b end)
for _, k in ipairs(keys) do io.write(k, "=", words[k], " ") end print()
local moved = table.move({1, 2, 3}, 1, 3, 2) print(table.concat(moved, ","))

section("metatables")
local V = {}
V.__index = V
V.__add = function(a, b) return setmetatable({x = a.x + b.x}, V) end
V.__eq = function(a, b) return a.x == b.x end
V.__lt = function(a, b) return a.x < b.x end
V.__tostring = function(v) return "V(" .. v.x .. ")" end
V.__call = function(v, n) return v.x * n end
V.__len = function() return 99 end
V.__concat = function(a, b) return tostring(a) .. tostring(b) end
V.__close = function(v) print("closing", v) end
local function new(x) return setmetatable({x = x}, V) end
print(tostring(new(1) + new(2)), new(3) == new(3), new(1) < new(2), new(4)(5), #new(1), new(1) .. "!")
do local a <close> = new(7) local b <close> = new(8) print("inside") end
local log = setmetatable({}, {__index = function(_, k) return k .. "?" end, __newindex = function(t, k, v) rawset(t, k, v * 2) end})
log.a = 21 print(log.a, log.b, rawget(log, "b"))

section("closures")
local function counter() local n = 0 return function(by) n = n + (by or 1) return n end end
local c1, c2 = counter(), counter()
print(c1(), c1(10), c2(), c1())
local fib = setmetatable({}, {__index = function(t, n) local v = n < 2 and n or t[n - 1] + t[n - 2] t[n] = v return v end})
print(fib[80])
local function variadic(...) local a, b = ... return select("#", ...), a, b, (select(-1, ...)) end
print(variadic(1, nil, 3))
local compiled = load("local a = ... return a * 2, _ENV.x", "chunk", "t", {x = "env"})
print(compiled(21))
print(load("return +"))

section("coroutines")
local function range(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
local sum = 0 for i in range(1000) do sum = sum + i end print(sum)
local co = coroutine.create(function(a, b)
  print("start", a, b)
  local c = coroutine.yield(a + b)
  print("got", c)
  local d, e = coroutine.yield(c * 2)
  error({code = d + e})
end)
print(coroutine.resume(co, 1, 2)) print(coroutine.status(co), coroutine.resume(co, 10))
local ok, err = coroutine.resume(co, 3, 4) print(ok, type(err), err.code, coroutine.status(co))
print(coroutine.resume(co))
local inner = coroutine.wrap(function() local r = {pcall(function() coroutine.yield("through pcall") error("after") end)} coroutine.yield(r[2]) return "end" end)
print(inner(), inner(), inner())
print(select(2, pcall(inner)))

section("errors")
print(pcall(error, "plain")) print(pcall(error, "level", 0)) print(pcall(error))
print(select(2, pcall(function() local x = nil return x.field end)))
print(select(2, pcall(function() return 1 + {} end)))
print(select(2, pcall(function() return #5 end)))
print(select(2, pcall(string.rep)))
print(xpcall(function() error("deep") end, function(m) return "handled: " .. m:gsub("^.-:%d+: ", "") end))
local depth = 0
local function nest(n) if n == 0 then error("bottom", 0) end local ok, e = pcall(nest, n - 1) depth = depth + 1 error(e, 0) end
print(pcall(nest, 50), depth)
print(select(2, pcall(function() local function f() return f() + 1 end return f() end)):match("stack overflow"))
for i = 1, 2000 do local ok = pcall(error, i) assert(not ok) end
print(assert(pcall(function() return "fine" end)))
goto done
print("never")
::done::

section("numbers")
print(math.maxinteger, math.mininteger, math.maxinteger + 1 == math.mininteger, 7 // 0.0, -7 // 0.0, 0/0 ~= 0/0)
print(math.floor(-2.5), math.ceil(2.1), math.fmod(-7, 3), math.abs(-3), math.type(1), math.type(1.0), math.ult(1, -1))
print(string.format("%.14g %.3f %g %a", math.pi, math.sin(1), 1e100, 0.5), 3 | 4, 7 & 2, 5 ~ 1, ~0, 256 >> 4)
print(pcall(function() return 1 // 0 end))
math.randomseed(42) local r = math.random(100) math.randomseed(42) print(r == math.random(100), r >= 1 and r <= 100)

section("files")
local f = assert(io.open("/d/lua.txt", "w"))
for i = 1, 100 do f:write("line ", i, "\n") end f:close()
local n, total = 0, 0 for line in io.lines("/d/lua.txt") do n = n + 1 total = total + #line end print(n, total)
f = io.open("/d/lua.txt", "r+") f:seek("set", 5) f:write("X") f:seek("end", -4) print(f:read("a")) f:close()
f = io.open("/d/lua.txt") print(f:read("l", "n")) f:close()
print(os.rename("/d/lua.txt", "/d/moved.txt"), io.open("/d/lua.txt"))
print(os.remove("/d/moved.txt"), (select(2, os.remove("/d/moved.txt"))))
print(io.open("/etc/passwd") == nil, io.type(io.stdout), os.getenv("GREETING"), os.getenv("HOME"))
print(os.time({year = 2024, month = 2, day = 29, hour = 12}), os.date("!%Y-%m-%d %H:%M:%S", 86400 * 365))

section("collection")
collectgarbage() local before = collectgarbage("count")
do local junk = {} for i = 1, 20000 do junk[i] = {i, tostring(i)} end end
collectgarbage() collectgarbage()
print(collectgarbage("count") - before < 100)
local weak = setmetatable({}, {__mode = "v"}) weak[1] = {} weak[2] = "string" collectgarbage() print(weak[1], weak[2])
local finalized = 0
for i = 1, 10 do setmetatable({}, {__gc = function() finalized = finalized + 1 end}) end
collectgarbage() print(finalized)

section("input")
for line in io.lines() do print(line:upper()) end
print(arg[0]:match("[^/]+$"), arg[1], #arg)
os.exit(3)
