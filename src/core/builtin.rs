//! The people of a node that runs alone: one team, everybody in it, a group "Lobby", people and
//! groups made on demand (PROTOCOL.md section 7). There are no passwords.
//!
//! Knows no sockets, no media and no HTTP: who is there is for `sockets` to know.

pub mod people;
pub mod store;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;
use tracing::{error, info};

use self::people::{Full, Group, People};
use self::store::Store;
pub use self::store::StoreFault;
use super::directory::{Directory, NoPass, Pass};
use super::{Chat, Jid, Person, Refusal, Rights, Team};
use crate::wire::http::ChatInfo;

/// See the module's words.
pub struct BuiltIn {
    people: Mutex<People>,
    /// Counts the changes of people and groups; and how many of them are on disk.
    changes: watch::Sender<u64>,
    kept: watch::Receiver<u64>,
}

impl BuiltIn {
    /// Reads what `data` keeps and starts the task that keeps what changes.
    ///
    /// # Errors
    /// The folder or its file cannot be used.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(data: &Path) -> Result<Arc<Self>, StoreFault> {
        let store = Store::open(data)?;
        let people = match store.load()? {
            Some(stored) => People::restored(&stored).ok_or_else(|| store.garbled())?,
            None => People::founded(),
        };
        store.save(&people.stored())?;
        let (changes, changed) = watch::channel(0);
        let (kept_sender, kept) = watch::channel(0);
        let core = Arc::new(Self { people: Mutex::new(people), changes, kept });
        tokio::spawn(keep(Arc::downgrade(&core), store, changed, kept_sender));
        Ok(core)
    }

    /// A new person and the token, once it will survive a restart.
    ///
    /// # Errors
    /// There are too many people.
    pub async fn login(
        &self,
        display_name: String,
        no_record: bool,
    ) -> Result<(String, Person), Full> {
        let (token, person) = self.people().add_person(display_name, no_record)?;
        info!(jid = %person.jid, "person added");
        self.keep_change().await;
        Ok((token, person))
    }

    /// A new group, once it will survive a restart.
    ///
    /// # Errors
    /// There are too many groups.
    pub async fn add_group(&self, display_name: String) -> Result<Group, Full> {
        let group = self.people().add_group(display_name)?;
        info!(chat = %group.jid, "group added");
        self.keep_change().await;
        Ok(group)
    }

    /// What a person of the team may: everything.
    pub fn pass_of(&self, person: Person) -> Pass {
        let people = self.people();
        let team = Team { uid: people.team_uid.clone(), name: people.team_name.clone() };
        Pass { person, team, rights: Rights::ALL, chats: None, until: None, order: (0, 0) }
    }

    async fn keep_change(&self) {
        self.changes.send_modify(|changes| *changes += 1);
        let change = *self.changes.borrow();
        let _ = self.kept.clone().wait_for(|kept| *kept >= change).await;
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory for BuiltIn {
    fn pass(&self, token: &str) -> Result<Arc<Pass>, NoPass> {
        let person = self.people().by_token(token).cloned().ok_or(NoPass::Unknown)?;
        Ok(Arc::new(self.pass_of(person)))
    }

    fn chat(&self, pass: &Pass, jid: &str) -> Result<Chat, Refusal> {
        self.people().chat(&pass.person, jid)
    }

    fn chats(&self, pass: &Pass) -> Vec<ChatInfo> {
        self.people().chats(&pass.person.jid)
    }

    fn groups(&self, _: &Pass) -> Vec<Jid> {
        self.people().group_jids()
    }

    fn is_member(&self, _: &Pass, group: &Jid) -> bool {
        self.people().group(group).is_some()
    }

    fn name_of(&self, _: &Pass, jid: &Jid) -> Option<String> {
        self.people().name_of(jid).map(str::to_owned)
    }
}

/// Writes people and groups whenever they changed; changes that come meanwhile share one write.
async fn keep(
    core: Weak<BuiltIn>,
    store: Store,
    mut changed: watch::Receiver<u64>,
    kept: watch::Sender<u64>,
) {
    while changed.changed().await.is_ok() {
        let change = *changed.borrow_and_update();
        let Some(stored) = core.upgrade().map(|core| core.people().stored()) else { return };
        let store = store.clone();
        match tokio::task::spawn_blocking(move || store.save(&stored)).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => error!(%fault, "people not kept"),
            Err(fault) => error!(%fault, "people not kept"),
        }
        kept.send_replace(change);
    }
}
