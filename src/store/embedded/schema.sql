-- The embedded store's file. Numbers that Rust holds as u64 are stored as they are: all stay far below 2^63.
create table meta (
    key text primary key,
    value blob not null
) without rowid;

create table partition (
    id integer primary key,
    epoch integer not null default 0,
    clean integer not null default 1,
    at_ms integer not null default 0,
    at_n integer not null default 0,
    at_epoch integer not null default 0,
    trying_ms integer,
    trying_n integer,
    trying_epoch integer,
    trying_count integer,
    journal_epoch integer not null default 0,
    journal_n integer not null default 0
);

create table inbox (
    partition integer not null,
    ms integer not null,
    n integer not null,
    payload blob not null,
    primary key (partition, ms, n)
) without rowid;

-- What came already: `ms` is the time of the position, and of the key's birth.
create table seen (
    key blob not null,
    partition integer not null,
    ms integer not null,
    n integer not null,
    primary key (key, partition)
) without rowid;
create index seen_by_time on seen (ms);

-- Keys that are not in `seen` yet, in the order of coming.
create table seen_young (
    id integer primary key,
    key blob not null,
    partition integer not null,
    ms integer not null,
    n integer not null
);

create table state (
    partition integer not null,
    actor text not null,
    payload blob not null,
    primary key (partition, actor)
) without rowid;

create table due (
    partition integer not null,
    actor text not null,
    at integer not null,
    primary key (partition, actor)
) without rowid;
create index due_by_time on due (partition, at, actor);

create table log (
    partition integer not null,
    ms integer not null,
    input integer not null,
    k integer not null,
    seq integer not null,
    n integer not null,
    payload blob not null,
    primary key (partition, ms, input, k, seq, n)
) without rowid;

-- The rowid is the order in which effects came.
create table effect (
    id integer primary key,
    partition integer not null,
    key text not null,
    payload blob not null,
    started_epoch integer,
    started_at integer,
    unique (partition, key)
);
create index effect_in_order on effect (partition, id);

create table journal (
    partition integer not null,
    epoch integer not null,
    n integer not null,
    payload blob not null,
    primary key (partition, epoch, n)
) without rowid;

create table dead (
    partition integer not null,
    ms integer not null,
    n integer not null,
    payload blob not null,
    actor text not null default 'partition:',
    primary key (partition, ms, n)
) without rowid;
create index dead_by_time on dead (ms, n, partition);
create index dead_by_actor on dead (partition, actor);

create table catalog (
    hash text not null,
    path text not null,
    content blob not null,
    primary key (hash, path)
) without rowid;
