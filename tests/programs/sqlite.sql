.bail on
.print -- tables and indexes
pragma journal_mode = delete;
create table people(id integer primary key, name text not null unique, born int check (born > 1000), note text);
create table works(id integer primary key, person int references people(id) on delete cascade, title text, year int);
create index works_year on works(year);
pragma foreign_keys = on;
insert into people(name, born) values ('Ada', 1815), ('Charles', 1791), ('Grace', 1906), ('Alan', 1912);
insert into works(person, title, year) values (1, 'Notes', 1843), (2, 'Engine', 1837), (3, 'Compiler', 1952), (4, 'Computable', 1936), (4, 'Imitation', 1950);
.mode column
.headers on
select p.name, count(w.id) works, min(w.year) first, group_concat(w.title, '+') titles
  from people p left join works w on w.person = p.id group by p.id order by p.born;
.mode list
.headers off
.print -- transactions
begin; insert into people(name, born) values ('Gone', 1900); rollback;
begin; update people set note = upper(name) where born > 1850; savepoint s; delete from people; rollback to s; commit;
select name, note from people order by name;
select count(*) from people;
insert or ignore into people(name, born) values ('Ada', 1999);
insert into people(name, born) values ('Ada', 1816) on conflict(name) do update set born = excluded.born;
select born from people where name = 'Ada';
delete from people where name = 'Alan';
select count(*), max(year) from works;
.print -- queries
with recursive fib(n, a, b) as (values (1, 0, 1) union all select n + 1, b, a + b from fib where n < 60) select a from fib where n = 60;
with t(x) as (values (3), (1), (2)) select x, row_number() over (order by x), sum(x) over (order by x rows unbounded preceding) from t order by x;
select printf('%.4f %5d|%-6s|%x', 3.14159265, 42, 'ab', 255), hex('hé'), length('hé'), upper('abc'), substr('abcdef', -3, 2);
select json_extract('{"a":[1,{"b":"c"}]}', '$.a[1].b'), json_group_array(name) from people;
select typeof(1), typeof(1.5), typeof('x'), typeof(null), typeof(x'00'), 7 / 2, 7 % 3, 1 << 40, 9223372036854775807 + 1, round(2.567, 2);
select date('2024-02-28', '+2 days'), strftime('%j', '2024-12-31'), julianday('2000-01-01');
select 'abc' like 'A%', 'abc' glob 'a*', 'x' between 'a' and 'z', coalesce(null, null, 3), nullif(1, 1) is null, iif(1, 'y', 'n');
.print -- many rows
create table numbers(n integer primary key, square int, text text);
insert into numbers with recursive c(i) as (values (1) union all select i + 1 from c where i < 20000) select i, i * i, printf('%08x', i * 2654435761 & 4294967295) from c;
create index numbers_text on numbers(text);
select count(*), sum(square), min(text), max(text) from numbers;
select n from numbers where text > 'ff' order by text limit 3;
delete from numbers where n % 3 = 0;
update numbers set square = square + 1 where n between 100 and 200;
select count(*), total(square) from numbers;
explain query plan select * from numbers where text = 'x';
vacuum;
pragma integrity_check;
.print -- full text
create virtual table docs using fts5(body);
insert into docs values ('the quick brown fox'), ('jumps over the lazy dog'), ('quick quick dog');
select rowid, snippet(docs, 0, '[', ']', '', 5) from docs where docs match 'quick' order by rank;
.print -- views and triggers
create view old as select name from people where born < 1900;
create table audit(what text);
create trigger t after delete on people begin insert into audit values ('deleted ' || old.name); end;
delete from people where name = 'Charles';
select * from audit; select * from old;
.print -- another file
attach '/d/other.db' as other;
create table other.copy as select name, born from people;
select count(*) from other.copy;
detach other;
.schema people
.output /d/dump.txt
.dump people
.output
.print -- an error
.bail off
insert into people(name, born) values ('Nobody', 5);
select * from missing;
