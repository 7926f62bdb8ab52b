//! Secrets whose files change while the program runs: one task for a snapshot looks at their files
//! from time to time and reads those again that are not as they were.
//!
//! Looking is asking for the file's metadata, behind symbolic links: a file written over, one
//! renamed into its place and a link that leads elsewhere all show there. So it works on every
//! file system, and with the way orchestrators swap mounted secrets.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::keys::KeyStore;
use crate::problem::Problem;
use crate::secret::SecretWriter;

/// How often files are looked at.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// A secret to watch.
pub(super) struct Watched {
    /// The name under `[secrets]`, for messages.
    pub(super) name: String,
    /// The store that reads the entry.
    pub(super) store: KeyStore,
    /// The entry in that store.
    pub(super) entry: String,
    /// The file that the store reads for it.
    pub(super) path: PathBuf,
    /// The file as it was just before its first reading.
    pub(super) seen: Stamp,
    /// Who is told.
    pub(super) writer: SecretWriter,
    /// The file may have changed once more without its stamp showing it.
    pub(super) unsettled: bool,
}

/// What of a file's metadata changes with its content, its owner or its mode; nothing when it
/// is not there. Two stamps that are equal may still hide a change within one tick of the file
/// system's clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stamp(Option<[i128; 5]>);

impl Stamp {
    /// How the file is now.
    pub(super) fn of(path: &Path) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self(fs::metadata(path).ok().map(|found| {
            let changed = nanoseconds(found.ctime(), found.ctime_nsec());
            let modified = nanoseconds(found.mtime(), found.mtime_nsec());
            [modified, changed, found.len().into(), found.ino().into(), found.dev().into()]
        }))
    }
}

/// The task that watches; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watching(Option<JoinHandle<()>>);

impl Watching {
    /// Looks at these files, once in each span `every`. Must be called inside a runtime unless
    /// there is nothing to watch.
    pub(super) fn start(watched: Vec<Watched>, every: Duration) -> Self {
        if watched.is_empty() {
            return Self(None);
        }
        Self(Some(tokio::spawn(watch(watched, every))))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

async fn watch(mut watched: Vec<Watched>, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        // A file system that stands still must not hold up requests.
        let runtime = Handle::current();
        let looked = tokio::task::spawn_blocking(move || {
            for one in &mut watched {
                if let Some(news) = runtime.block_on(one.look()) {
                    one.tell(news);
                }
            }
            watched
        });
        let Ok(back) = looked.await else {
            tracing::error!("watching secrets has ended: a store panicked");
            return;
        };
        watched = back;
    }
}

impl Watched {
    /// Reads the entry again where its file is not as it was. Gives what is worth telling: that
    /// there is another secret now, or, once for each change, why the old one is kept.
    async fn look(&mut self) -> Option<Result<(), Problem>> {
        let stamp = Stamp::of(&self.path);
        let changed = stamp != self.seen;
        if !changed && !self.unsettled {
            return None;
        }
        // The stamp is older than what is read: what changes between the two is seen next time.
        // Once more after that, for what changed within one tick of the file system's clock.
        self.seen = stamp;
        self.unsettled = changed;
        match self.store.read(&self.entry).await {
            Ok(secret) => self.writer.replace(secret.trimmed()).then_some(Ok(())),
            Err(error) => changed.then_some(Err(error)),
        }
    }

    fn tell(&self, news: Result<(), Problem>) {
        let name = &self.name;
        match news {
            Ok(()) => tracing::info!("secrets.{name}: its file has changed and is in use"),
            Err(error) => {
                let fix = &error.fix;
                tracing::warn!("secrets.{name}: {error}; what it was stays in use; fix: {fix}");
            }
        }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::{Arc, Weak};

    use tempfile::TempDir;

    use super::*;
    use crate::keys::{ByteStore, StoreSettings};
    use crate::secret::SecretCell;
    use crate::stores::STORES;

    /// A directory with a watched file `token`, which holds `first`.
    fn stage() -> (TempDir, Watched, SecretCell) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "token", "first");
        let (watched, cell) = watched(dir.path(), "token");
        (dir, watched, cell)
    }

    fn watched(dir: &Path, entry: &str) -> (Watched, SecretCell) {
        let files = STORES.iter().find(|kind| kind.name == "file").unwrap();
        let store = (files.open)(&StoreSettings::new([("dir", dir.into())]));
        let path = dir.join(entry);
        let seen = Stamp::of(&path);
        let first = crate::secret::Secret::new(fs::read(&path).unwrap());
        let (writer, cell) = SecretCell::renewable(first);
        let (name, entry) = ("token".into(), entry.into());
        (Watched { name, store, entry, path, seen, writer, unsettled: false }, cell)
    }

    fn write(dir: &Path, name: &str, content: &str) {
        fs::write(dir.join(name), content).unwrap();
        fs::set_permissions(dir.join(name), Permissions::from_mode(0o600)).unwrap();
    }

    fn text(cell: &SecretCell) -> String {
        String::from_utf8(cell.current().expose().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn every_way_to_change_a_file_is_seen() {
        let (dir, mut watched, cell) = stage();
        write(dir.path(), "token", "written over\n");
        watched.look().await;
        assert_eq!(text(&cell), "written over");
        write(dir.path(), "new", "renamed into");
        fs::rename(dir.path().join("new"), dir.path().join("token")).unwrap();
        watched.look().await;
        assert_eq!(text(&cell), "renamed into");
        write(dir.path(), "target", "behind link!");
        fs::remove_file(dir.path().join("token")).unwrap();
        symlink("target", dir.path().join("token")).unwrap();
        watched.look().await;
        assert_eq!(text(&cell), "behind link!");
    }

    #[tokio::test]
    async fn a_swap_of_mounted_directories_is_seen() {
        // Kubernetes: token -> ..data/token, ..data -> ..1; then ..data is renamed over.
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(dir.path().join(name)).unwrap();
            write(&dir.path().join(name), "token", content);
        }
        symlink("..1", dir.path().join("..data")).unwrap();
        symlink("..data/token", dir.path().join("token")).unwrap();
        let (mut watched, cell) = watched(dir.path(), "token");
        symlink("..2", dir.path().join("..next")).unwrap();
        fs::rename(dir.path().join("..next"), dir.path().join("..data")).unwrap();
        watched.look().await;
        assert_eq!(text(&cell), "two");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_changes_nothing_and_is_told_of_once() {
        let (dir, mut watched, cell) = stage();
        let path = dir.path().join("token");
        type Change = fn(&Path);
        let table: [(&str, Change); 3] = [
            ("is open to its group", |path| {
                fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
            }),
            ("does not exist", |path| fs::remove_file(path).unwrap()),
            ("is empty", |path| write(path.parent().unwrap(), "token", "")),
        ];
        for (told_of, change) in table {
            change(&path);
            let mut told = Vec::new();
            for _ in 0..5 {
                told.extend(watched.look().await);
            }
            let [Err(error)] = told.as_slice() else { panic!("{told_of}: {told:?}") };
            assert!(error.what.contains(&format!("/token {told_of}")), "{error}");
            assert_eq!(text(&cell), "first", "{told_of}");
        }
        write(dir.path(), "token", "mended");
        assert_eq!(watched.look().await, Some(Ok(())));
        assert_eq!((text(&cell).as_str(), watched.look().await), ("mended", None));
    }

    #[tokio::test]
    async fn a_change_within_a_tick_of_the_clock_is_seen_at_the_second_look() {
        let (dir, mut watched, cell) = stage();
        write(dir.path(), "token", "second");
        watched.look().await;
        // As if it had been written again at once, with the same length: the stamp is the same.
        write(dir.path(), "token", "third!");
        watched.seen = Stamp::of(&watched.path);
        watched.look().await;
        assert_eq!(text(&cell), "third!");
        write(dir.path(), "token", "fourth");
        watched.seen = Stamp::of(&watched.path);
        watched.look().await;
        assert_eq!(text(&cell), "third!", "a file that has settled is not read again");
    }

    #[tokio::test]
    async fn the_task_takes_changes_up_and_ends_when_it_is_let_go() {
        let (dir, watched, cell) = stage();
        let KeyStore::Bytes(store) = &watched.store else { panic!("files are bytes") };
        let store: Weak<dyn ByteStore> = Arc::downgrade(store);
        let watching = Watching::start(vec![watched], Duration::from_millis(1));
        write(dir.path(), "token", "second");
        until("the change is seen", || text(&cell) == "second").await;
        assert!(store.upgrade().is_some(), "the task has what it needs");
        drop(watching);
        until("the task is gone", || store.upgrade().is_none()).await;
        assert_eq!(text(&cell), "second");
    }

    /// Waits for a fact.
    async fn until(what: &str, fact: impl Fn() -> bool) {
        let waited = tokio::time::timeout(Duration::from_secs(30), async {
            while !fact() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        assert!(waited.await.is_ok(), "it never happened: {what}");
    }
}
