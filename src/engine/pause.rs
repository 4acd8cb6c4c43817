//! Pausing playbooks: they open nothing until they are resumed. What is paused is part of what is in force.

use std::sync::Arc;

use super::inbox::Inbox;
use crate::model::input::InForce;
use crate::store::{Store, StoreError};

/// How often others may come in between before we give up.
const TRIES: usize = 16;

/// Pauses or resumes playbooks, by compare-and-set on the revision in force; answers what holds now.
///
/// Invariant: whatever is appended after this returned is judged by it. Owners read what is in force a few times a second
/// only, so the revision is appended to every partition here. Where nothing changes no revision is made, but one whose
/// announcement failed half-way is announced to its end.
///
/// # Errors
/// The store's; [`StoreError::Away`] too where others changed it again and again meanwhile.
pub async fn set_paused(store: &Arc<dyn Store>, playbooks: &[String], paused: bool) -> Result<InForce, StoreError> {
    let in_force = change(&**store, playbooks, paused).await?;
    Inbox::new(Arc::clone(store)).announce(&in_force).await?;
    Ok(in_force)
}

async fn change(store: &dyn Store, playbooks: &[String], paused: bool) -> Result<InForce, StoreError> {
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
