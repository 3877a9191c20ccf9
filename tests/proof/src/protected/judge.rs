//! Who may not be called, by what the directory was like and by what was said. The product is never asked.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rescind_core::engine::protected::MAX_AGE;
use rescind_core::provider::RevokeRequest;
use rescind_core::subject::Subject;

use super::reading::looks;
use super::scene::Scene;
use super::tenant::Answer;

/// One process: its list, and whom it has been told that the list means.
#[derive(Debug)]
pub(super) struct Process {
    /// The list as it is configured, whatever a broken product makes of it.
    pub(super) list: Vec<String>,
    /// When it opened its lanes, in milliseconds.
    opened: u64,
    readings: Mutex<HashMap<usize, Reading>>,
}

/// What one provider has told a process about its list.
#[derive(Debug, Default)]
struct Reading {
    /// Which reading is under way, counted from 1, and the entries it has asked for.
    number: u64,
    asked: HashSet<String>,
    /// What the entries lead to, as far as it has come.
    round: HashMap<String, Option<usize>>,
    /// Whom an entry led to at a reading that was complete.
    told: HashSet<usize>,
}

impl Process {
    pub(super) fn new(list: Vec<String>, opened: u64) -> Self {
        Self {
            list,
            opened,
            readings: Mutex::default(),
        }
    }

    fn readings(&self) -> MutexGuard<'_, HashMap<usize, Reading>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is asked as an entry of its list. While it reads that, it may ask about others, too, to see whether the
    /// provider is there.
    fn is_entry(&self, asked: &str) -> bool {
        self.list.iter().any(|entry| entry.trim() == asked)
    }

    /// It asks a provider for entries of its list. Answers which reading that is: one that asks again has begun anew, and
    /// what a former one is still told counts no more.
    pub(super) fn asks(&self, tenant: usize, entries: &[Subject]) -> u64 {
        let readings = &mut *self.readings();
        let reading = readings.entry(tenant).or_default();
        let asked = entries.iter().map(Subject::given);
        let entries: Vec<&str> = asked.filter(|asked| self.is_entry(asked)).collect();
        let again = |entry: &&str| reading.asked.contains(*entry);
        if reading.number == 0 || entries.iter().any(again) {
            reading.number += 1;
            reading.asked.clear();
            reading.round.clear();
        }
        reading.asked.extend(entries.into_iter().map(str::to_owned));
        reading.number
    }

    /// A provider tells it whom an entry leads to, while it looks the list up.
    pub(super) fn is_told(&self, tenant: usize, number: u64, entry: &str, person: Option<usize>) {
        let readings = &mut *self.readings();
        let reading = readings.entry(tenant).or_default();
        if reading.number != number || !self.is_entry(entry) {
            return;
        }
        reading.round.insert(entry.to_owned(), person);
        let is_complete = self
            .list
            .iter()
            .all(|entry| reading.round.contains_key(entry.trim()));
        if is_complete {
            reading
                .told
                .extend(reading.round.drain().filter_map(|(_, person)| person));
        }
    }

    fn was_told(&self, tenant: usize, person: usize) -> bool {
        let readings = self.readings();
        readings
            .get(&tenant)
            .is_some_and(|reading| reading.told.contains(&person))
    }
}

/// The ledgers of all providers, and what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Judge {
    pub(super) violations: Vec<String>,
    pub(super) seen: BTreeMap<&'static str, u64>,
    /// Calls that came in for people nobody protects.
    pub(super) ordinary: u64,
    /// Whose calls came in.
    pub(super) called: HashSet<(usize, usize)>,
}

impl Judge {
    pub(super) fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// A revocation comes in.
    pub(super) fn arrives(
        &mut self,
        scene: &Scene,
        process: &Process,
        tenant: usize,
        request: &RevokeRequest,
        now: u64,
    ) {
        let directory = &scene.tenants[tenant];
        let given = request.subject.given();
        // An id is one account's, whoever else may be called so.
        let by_id = directory.people.iter().position(|one| one.id == given);
        let meant = by_id.or_else(|| match directory.answer(given, now) {
            Answer::Found(person) => Some(person),
            Answer::Nobody | Answer::Several(_) => None,
        });
        let mut wrong = None;
        if scene.natures[tenant].directory {
            // A lane with a directory calls ids. One that calls a spelling has not looked.
            match meant {
                Some(person) if directory.people[person].id == given => {
                    wrong = protects(scene, process, tenant, person, now);
                }
                _ => {
                    wrong = Some(format!(
                        "{given:?} is no id, and the provider has a directory"
                    ));
                }
            }
        }
        let account = request.account.iter().flat_map(|account| {
            let main = [account.id.as_str(), account.name.as_str()];
            main.into_iter()
                .chain(account.spellings.iter().map(String::as_str))
        });
        for text in account.chain([given]) {
            if let Some(entry) = alike(&process.list, text) {
                wrong.get_or_insert_with(|| format!("{text:?} reads as the entry {entry:?}"));
            }
        }
        if let Some(wrong) = wrong {
            self.violations
                .push(format!("p{tenant} at {now} ms, call of {given:?}: {wrong}"));
        } else {
            self.ordinary += 1;
            self.called.extend(meant.map(|person| (tenant, person)));
        }
    }

    /// At the end: nobody whose row reads as an entry was called.
    pub(super) fn finished(&mut self, lists: &[&[String]], subject: &str, alias: Option<&str>) {
        for text in [Some(subject), alias].into_iter().flatten() {
            if let Some(entry) = lists.iter().find_map(|list| alike(list, text)) {
                self.violations.push(format!(
                    "the row {text:?} reads as the entry {entry:?}, and was called"
                ));
            }
        }
    }
}

/// Why a process may not call an account, if so: an entry leads to it, and has for so long that the list was read
/// meanwhile, or the process was told so when it read the list.
fn protects(
    scene: &Scene,
    process: &Process,
    tenant: usize,
    person: usize,
    now: u64,
) -> Option<String> {
    let directory = &scene.tenants[tenant];
    let oldest = now.saturating_sub(MAX_AGE.as_millis() as u64);
    let since = oldest.max(process.opened);
    let mut entries = process.list.iter();
    if let Some(entry) = entries.find(|entry| directory.led_throughout(entry, person, since, now)) {
        return Some(format!("the entry {entry:?} leads to it"));
    }
    let told = process.was_told(tenant, person);
    told.then(|| "the process has read the list when an entry led to it".to_owned())
}

fn alike<'a>(list: &'a [String], text: &str) -> Option<&'a String> {
    let looked = looks(text);
    list.iter().find(|entry| looks(entry) == looked)
}
