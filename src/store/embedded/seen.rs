//! Which inputs came already.
//!
//! Keys are as random as hashes: put into a tree one by one, each writes a page of its own, and a flood is as slow as the
//! disk takes pages. So a new key is appended to a table in the order of coming and known from memory; when there are
//! many they are put into the tree in the order of keys, some with each transaction, so that a page takes several. After
//! a restart the table of young keys is read again; putting a key into the tree twice changes nothing.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::numbers::{int, limit, num, pos};
use crate::model::ids::{Partition, Pos};
use crate::model::time::{Millis, Ms};
use crate::store::DedupeKey;

/// So many young keys are put into the tree together.
const YOUNG: usize = 65_536;
/// Keys put into the tree, or forgotten, by a transaction that appended none.
const STEP: usize = 256;

type Key = (DedupeKey, Partition);

/// The keys of all partitions.
pub(super) struct Seen {
    /// Keys that are in the table of young ones only.
    young: HashMap<Key, Pos>,
    /// Keys on their way into the tree, in the order of keys.
    moving: Vec<(Key, Pos)>,
    /// The last row of the moving ones.
    moving_to: i64,
    /// What a transaction that fails takes back.
    now: Progress,
    before: Progress,
    /// Young keys added by this transaction, and what they stood for before.
    added: Vec<(Key, Option<Pos>)>,
    /// There was no room: young keys are to move however few, for those that are over are found in the tree only.
    crowded: bool,
    /// How many young keys move together.
    most_young: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// Keys in all.
    count: u64,
    /// No key of the tree ends before; may be too early, never too late.
    next_expiry: u64,
    /// Moving keys that are in the tree.
    moved: usize,
    /// The last row of the table of young keys.
    last_row: i64,
    /// Rows up to this one are in the tree and may go.
    spent_to: i64,
}

/// Where a request began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    added: usize,
    progress: Progress,
}

impl Seen {
    /// Reads what the file has.
    pub(super) fn read(db: &Connection) -> rusqlite::Result<Seen> {
        let mut young = HashMap::new();
        let mut last_row = 0;
        let mut rows = db.prepare("select key, partition, ms, n, id from seen_young order by id")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            young.insert((row.get(0)?, Partition(row.get(1)?)), pos(row, 2)?);
            last_row = row.get(4)?;
        }
        let count = db.query_row("select count(*) from seen", [], |row| num(row, 0))?;
        let count = count + u64::try_from(young.len()).unwrap_or_default();
        let now = Progress { count, last_row, ..Progress::default() };
        Ok(Seen {
            young,
            moving: Vec::new(),
            moving_to: 0,
            now,
            before: now,
            added: Vec::new(),
            crowded: false,
            most_young: YOUNG,
        })
    }

    /// How many keys there are; one that is on its way may count twice until it arrives.
    pub(super) fn count(&self) -> u64 {
        self.now.count
    }

    /// The position that a key stands for, however old.
    pub(super) fn find(&self, db: &Connection, key: DedupeKey, partition: Partition) -> rusqlite::Result<Option<Pos>> {
        let wanted = (key, partition);
        if let Some(pos) = self.young.get(&wanted) {
            return Ok(Some(*pos));
        }
        if let Ok(place) = self.moving.binary_search_by_key(&wanted, |(key, _)| *key) {
            return Ok(self.moving.get(place).map(|(_, pos)| *pos));
        }
        let mut find = db.prepare_cached("select ms, n from seen where key = ?1 and partition = ?2")?;
        find.query_row(params![&key[..], partition.0], |row| pos(row, 0)).optional()
    }

    /// Remembers a key.
    pub(super) fn add(
        &mut self,
        db: &Connection,
        key: DedupeKey,
        partition: Partition,
        at: Pos,
    ) -> rusqlite::Result<()> {
        let sql = "insert into seen_young (key, partition, ms, n) values (?1, ?2, ?3, ?4)";
        db.prepare_cached(sql)?.execute(params![&key[..], partition.0, int(at.ms), at.n])?;
        self.now.last_row = db.last_insert_rowid();
        let before = self.young.insert((key, partition), at);
        self.now.count += u64::from(before.is_none());
        self.added.push(((key, partition), before));
        Ok(())
    }

    /// A transaction begins: all that was added is on the disk, so it may start to move.
    pub(super) fn begin(&mut self) {
        self.added.clear();
        if self.now.moved >= self.moving.len() {
            if !self.moving.is_empty() {
                self.moving = Vec::new();
                self.now.spent_to = self.moving_to;
                self.now.moved = 0;
            }
            if self.young.len() >= self.most_young || (self.crowded && !self.young.is_empty()) {
                self.moves();
            }
        }
        self.before = self.now;
    }

    fn moves(&mut self) {
        self.moving = std::mem::take(&mut self.young).into_iter().collect();
        self.moving.sort_unstable_by_key(|(key, _)| *key);
        self.moving_to = self.now.last_row;
        self.now.moved = 0;
        self.crowded = false;
    }

    /// A request begins.
    pub(super) fn mark(&self) -> Mark {
        Mark { added: self.added.len(), progress: self.now }
    }

    /// A request failed.
    pub(super) fn back_to(&mut self, mark: Mark) {
        while self.added.len() > mark.added {
            match self.added.pop() {
                Some((key, Some(pos))) => drop(self.young.insert(key, pos)),
                Some((key, None)) => drop(self.young.remove(&key)),
                None => {}
            }
        }
        self.now = Progress { next_expiry: 0, ..mark.progress };
    }

    /// The transaction failed.
    pub(super) fn back_to_start(&mut self) {
        self.back_to(Mark { added: 0, progress: self.before });
    }

    /// The transaction ends: puts some keys into the tree and takes out some that are over. Two go for each that came, so
    /// that neither the young nor the old ever pile up.
    pub(super) fn end(&mut self, db: &Connection, window: Millis, now: Ms) -> rusqlite::Result<()> {
        if self.added.is_empty() && self.moving.is_empty() {
            return Ok(());
        }
        let some = self.added.len().saturating_mul(2).saturating_add(STEP);
        self.put(db, window, some)?;
        if self.now.spent_to > 0 {
            let sql = "delete from seen_young where id <= (select min(id) + ?1 from seen_young) and id <= ?2";
            if db.prepare_cached(sql)?.execute(params![limit(some), self.now.spent_to])? == 0 {
                self.now.spent_to = 0;
            }
        }
        self.forget(db, window, now, some)
    }

    /// Makes room where there is none, as far as that can be done now.
    pub(super) fn make_room(&mut self, db: &Connection, window: Millis, now: Ms) -> rusqlite::Result<()> {
        self.crowded = true;
        self.forget(db, window, now, STEP)
    }

    /// When the oldest key came, of those in the tree and those on their way.
    pub(super) fn oldest(&self, db: &Connection) -> rusqlite::Result<Option<Ms>> {
        let in_tree = "select ms from seen order by ms limit 1";
        let in_tree = db.prepare_cached(in_tree)?.query_row([], |row| num(row, 0)).optional()?;
        let young = "select ms from seen_young where id > ?1 order by id limit 1";
        let young = db.prepare_cached(young)?.query_row([self.now.spent_to], |row| num(row, 0)).optional()?;
        Ok(in_tree.into_iter().chain(young).min().map(Ms))
    }

    /// Puts up to so many of the moving keys into the tree.
    fn put(&mut self, db: &Connection, window: Millis, most: usize) -> rusqlite::Result<()> {
        let mut add =
            db.prepare_cached("insert or ignore into seen (key, partition, ms, n) values (?1, ?2, ?3, ?4)")?;
        let mut again = db.prepare_cached("update seen set ms = ?3, n = ?4 where key = ?1 and partition = ?2")?;
        for ((key, partition), at) in self.moving.iter().skip(self.now.moved).take(most) {
            let row = params![&key[..], partition.0, int(at.ms), at.n];
            if add.execute(row)? == 0 {
                again.execute(row)?;
                self.now.count = self.now.count.saturating_sub(1);
            }
            self.now.next_expiry = self.now.next_expiry.min(at.ms.saturating_add(window.0));
            self.now.moved += 1;
        }
        Ok(())
    }

    /// Forgets some keys whose window is over, never one within it.
    fn forget(&mut self, db: &Connection, window: Millis, now: Ms, most: usize) -> rusqlite::Result<()> {
        if now.0 < self.now.next_expiry {
            return Ok(());
        }
        let over = int(now.0.saturating_sub(window.0));
        let sql =
            "delete from seen where (key, partition) in (select key, partition from seen where ms <= ?1 limit ?2)";
        let gone = db.prepare_cached(sql)?.execute(params![over, limit(most)])?;
        self.now.count = self.now.count.saturating_sub(u64::try_from(gone).unwrap_or_default());
        if gone < most {
            let first = db
                .prepare_cached("select ms from seen order by ms limit 1")?
                .query_row([], |row| num(row, 0))
                .optional()?;
            self.now.next_expiry = first.unwrap_or(now.0).saturating_add(window.0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const WINDOW: Millis = Millis::hours(24);

    /// How many keys there are to choose from.
    const KEYS: u8 = 48;

    fn file() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("schema.sql")).unwrap();
        db
    }

    fn key(n: u8) -> DedupeKey {
        [n.wrapping_mul(151); 16]
    }

    /// What a transaction does: keys that it adds, and whether it fails.
    #[derive(Debug, Clone)]
    struct Step {
        keys: Vec<u8>,
        fails: bool,
        restart: bool,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = (prop::collection::vec(0..KEYS, 0..12), any::<bool>(), prop::bool::weighted(0.1));
        let step = step.prop_map(|(keys, fails, restart)| Step { keys, fails, restart });
        prop::collection::vec(step, 1..60)
    }

    fn transact(db: &Connection, seen: &mut Seen, known: &mut BTreeMap<u8, Pos>, at: u64, step: &Step) {
        let before = known.clone();
        seen.begin();
        db.execute_batch("begin").unwrap();
        for (n, name) in (0..).zip(&step.keys) {
            let at = Pos { ms: at, n };
            if seen.find(db, key(*name), Partition(0)).unwrap().is_none() {
                seen.add(db, key(*name), Partition(0), at).unwrap();
                known.insert(*name, at);
            }
        }
        seen.end(db, WINDOW, Ms(at)).unwrap();
        if step.fails {
            db.execute_batch("rollback").unwrap();
            seen.back_to_start();
            *known = before;
        } else {
            db.execute_batch("commit").unwrap();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_key_stands_for_its_first_position_wherever_it_is(steps in steps()) {
            let db = file();
            let mut seen = Seen { most_young: 10, ..Seen::read(&db).unwrap() };
            let mut known = BTreeMap::new();
            for (at, step) in (1..).zip(&steps) {
                if step.restart {
                    seen = Seen { most_young: 10, ..Seen::read(&db).unwrap() };
                }
                transact(&db, &mut seen, &mut known, at, step);
                for name in 0..KEYS {
                    let found = seen.find(&db, key(name), Partition(0)).unwrap();
                    prop_assert_eq!(found, known.get(&name).copied(), "key {} after {} steps", name, at);
                    prop_assert_eq!(seen.find(&db, key(name), Partition(1)).unwrap(), None);
                }
            }
            // All that was added twice over a restart has met itself in the tree by now.
            seen.crowded = true;
            for at in 100..104 {
                transact(&db, &mut seen, &mut known, at, &Step { keys: Vec::new(), fails: false, restart: false });
            }
            prop_assert_eq!(seen.count(), known.len() as u64);
        }
    }

    #[test]
    fn keys_go_when_their_window_is_over_and_not_before() {
        let db = file();
        let mut seen = Seen { most_young: 4, ..Seen::read(&db).unwrap() };
        for n in 0..8_u8 {
            seen.begin();
            seen.add(&db, key(n), Partition(0), Pos { ms: u64::from(n), n: 0 }).unwrap();
            seen.end(&db, Millis(100), Ms(u64::from(n))).unwrap();
        }
        let turn = |seen: &mut Seen, now: u64| {
            seen.begin();
            seen.end(&db, Millis(100), Ms(now)).unwrap();
        };
        seen.crowded = true;
        turn(&mut seen, 99);
        turn(&mut seen, 99);
        assert_eq!(seen.count(), 8);
        turn(&mut seen, 103);
        seen.make_room(&db, Millis(100), Ms(103)).unwrap();
        assert_eq!(seen.count(), 4, "those of 0 to 3 are over");
        let left: Vec<bool> = (0..8).map(|n| seen.find(&db, key(n), Partition(0)).unwrap().is_some()).collect();
        assert_eq!(left, [false, false, false, false, true, true, true, true]);
    }
}
