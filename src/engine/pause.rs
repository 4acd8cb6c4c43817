//! Pausing playbooks: they open nothing until they are resumed. What is paused is part of what is in force.

use crate::model::input::InForce;
use crate::store::{Store, StoreError};

/// How often others may come in between before we give up.
const TRIES: usize = 16;

/// Pauses or resumes playbooks, by compare-and-set on the revision in force; answers what holds now.
///
/// Nothing is written where nothing changes. Each owner hears of the new revision and appends it to its partitions.
///
/// # Errors
/// The store's; [`StoreError::Away`] too where others changed it again and again meanwhile.
pub async fn set_paused(store: &dyn Store, playbooks: &[String], paused: bool) -> Result<InForce, StoreError> {
    for _ in 0..TRIES {
        let now = store.in_force().await?;
        let mut names: std::collections::BTreeSet<String> = now.paused.iter().cloned().collect();
        for playbook in playbooks {
            if paused {
                names.insert(playbook.clone());
            } else {
                names.remove(playbook);
            }
        }
        let next = InForce {
            revision: now.revision.saturating_add(1),
            hash: now.hash.clone(),
            paused: names.into_iter().collect(),
        };
        if next.paused == now.paused {
            return Ok(now);
        }
        if store.set_in_force(now.revision, &next).await? {
            return Ok(next);
        }
    }
    Err(StoreError::Away("what is in force changes all the time".to_owned()))
}
