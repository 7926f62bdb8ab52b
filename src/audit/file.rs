//! The file of the writer's thread: whole lines at its end, or nothing.

use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::chain::{After, Chain, follow};
use super::entry::Members;
use super::line::{self, LONGEST, LineHash};
use crate::moment::unix_ms;
use crate::problem::Problem;

/// An open, locked file and the end of its chain.
#[derive(Debug)]
pub(super) struct AuditFile {
    path: PathBuf,
    file: File,
    end: End,
    /// Why nothing can be appended until the file is opened anew.
    fault: Option<Problem>,
}

/// Where the next line goes and what it follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct End {
    bytes: u64,
    seq: u64,
    last: LineHash,
}

impl End {
    /// The `seq` of the last line.
    pub(super) fn seq(self) -> u64 {
        self.seq
    }

    /// Its hash.
    pub(super) fn last(self) -> LineHash {
        self.last
    }
}

impl AuditFile {
    /// Opens a file or makes one, and follows its chain to the end.
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        let (file, chain) = open_locked(path)?;
        let end = End { bytes: chain.bytes, seq: chain.seq, last: chain.last };
        Ok(Self { path: path.to_owned(), file, end, fault: None })
    }

    /// Where the chain ends now.
    pub(super) fn end(&self) -> End {
        self.end
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Goes on at the path: in the same file, or, when that was moved away, in a new one, whose
    /// first line follows the last of the old.
    pub(super) fn reopen(&mut self) -> Result<(), Problem> {
        let own = self.file.metadata().map_err(|error| self.failed(&error))?;
        let is_own = |there: &Metadata| (there.dev(), there.ino()) == (own.dev(), own.ino());
        let (opened, chain) = if fs::symlink_metadata(&self.path).is_ok_and(|there| is_own(&there))
        {
            if self.fault.is_none() && own.len() == self.end.bytes {
                return Ok(());
            }
            // The lock is on the open file, and a second one of our own would not get it.
            (None, recover(&self.path, &self.file)?)
        } else {
            let (file, chain) = open_locked(&self.path)?;
            (Some(file), chain)
        };
        if chain.lines > 0 && chain.last != self.end.last {
            let what = format!("{} does not end with the line last written", self.path.display());
            return Err(Problem::new(what, "move it away to keep it, and reload"));
        }
        if let Some(file) = opened {
            self.file = file;
        }
        self.end.bytes = chain.bytes;
        self.fault = None;
        Ok(())
    }

    /// Says why nothing should be appended: the file is deleted, or not as it was left.
    pub(super) fn check(&mut self) -> Result<(), Problem> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let found = self.file.metadata().map_err(|error| self.failed(&error))?;
        let path = self.path.display();
        if found.nlink() == 0 {
            let fix = "reload, and a new file goes on with the chain";
            return Err(Problem::new(format!("{path} was deleted"), fix));
        }
        if found.is_file() && found.len() != self.end.bytes {
            let what = format!("{path} was changed by somebody else");
            return Err(Problem::new(what, "move it away to keep it, and reload"));
        }
        Ok(())
    }

    /// Appends the line of an entry by one call of `write`, which is write(2). The line is on
    /// the disk after [`Self::sync`] only.
    pub(super) fn put(
        &mut self,
        entry: &dyn Members,
        write: impl FnOnce(&File, &[u8]) -> io::Result<usize>,
    ) -> Result<(), Problem> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let End { bytes, seq, last } = self.end;
        let Some(next) = seq.checked_add(1) else {
            let what = format!("{} ends with the last number there is", self.path.display());
            return Err(Problem::new(what, "move it away to keep it, and reload"));
        };
        let line = line::write(entry, next, unix_ms(), last);
        if line.len() > LONGEST {
            let what = format!("the entry takes a line of more than {LONGEST} bytes");
            return Err(Problem::new(what, "refuse requests with ids and reasons that long"));
        }
        let error = match write(&self.file, &line) {
            Ok(written) if written == line.len() => {
                let last = LineHash::of(&line[..line.len() - 1]);
                self.end = End { bytes: bytes + line.len() as u64, seq: next, last };
                return Ok(());
            }
            Ok(_) => io::Error::from(io::ErrorKind::StorageFull),
            Err(error) => error,
        };
        let error = self.failed(&error);
        // Half a line must not stand before the next one. If it cannot be taken back, nothing
        // can follow.
        if self.file.set_len(bytes).is_err() {
            self.fault = Some(error.clone());
        }
        Err(error)
    }

    /// Brings what was put since `before` to the disk. If that fails it is taken back, and
    /// nothing is appended until the file is opened anew: after an error the system may take
    /// lost pages for written ones.
    pub(super) fn sync(&mut self, before: End) -> Result<(), Problem> {
        let Err(error) = self.file.sync_data() else { return Ok(()) };
        let error = self.failed(&error);
        self.end = before;
        self.fault = Some(error.clone());
        if self.file.set_len(before.bytes).is_err() {
            tracing::warn!("{}: lines that answered nothing could not be removed", error.what);
        }
        Err(error)
    }

    fn failed(&self, error: &io::Error) -> Problem {
        failed(&self.path, "cannot be written", error)
    }

    /// A file in place of the real one, to see what becomes of its errors.
    #[cfg(test)]
    pub(super) fn of(path: &Path, file: File) -> Self {
        let end = End { bytes: 0, seq: 0, last: LineHash::START };
        Self { path: path.to_owned(), file, end, fault: None }
    }
}

/// One write(2) of a whole line.
pub(super) fn write_once(mut file: &File, line: &[u8]) -> io::Result<usize> {
    loop {
        match file.write(line) {
            // Nothing was written yet.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether an audit could be at this path: what is there already is a file, and no link to one.
///
/// # Errors
///
/// What else it is.
pub(crate) fn placed(path: &Path) -> Result<(), Problem> {
    fs::symlink_metadata(path).map_or(Ok(()), |found| regular(path, &found))
}

fn regular(path: &Path, found: &Metadata) -> Result<(), Problem> {
    let shown = path.display();
    if found.is_symlink() {
        let fix = "name the file that it leads to, or move the link away";
        return Err(Problem::new(format!("{shown} is a symbolic link"), fix));
    }
    if !found.is_file() {
        return Err(Problem::new(format!("{shown} is no regular file"), "name a file"));
    }
    Ok(())
}

fn open_locked(path: &Path) -> Result<(File, Chain), Problem> {
    let shown = path.display();
    let mut options = OpenOptions::new();
    // Not blocking, for a pipe would wait for a reader. Not through a link, which whoever may write
    // in the directory could turn to any file of ours.
    options.read(true).append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    placed(path)?;
    let file = options.open(path).map_err(|error| failed(path, "cannot be opened", &error))?;
    let found = file.metadata().map_err(|error| failed(path, "cannot be opened", &error))?;
    regular(path, &found)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let fix = "stop the other process, or give each route and process a file of its own";
            return Err(Problem::new(format!("{shown} is in use by another writer"), fix));
        }
        Err(TryLockError::Error(error)) => return Err(failed(path, "cannot be locked", &error)),
    }
    if found.mode() & 0o077 != 0 {
        let closed = file.set_permissions(Permissions::from_mode(0o600));
        closed.map_err(|error| failed(path, "is open to others", &error))?;
        tracing::warn!("{shown} was open to its group or to others: its mode is 0600 now");
    }
    let chain = recover(path, &file)?;
    // The name of a new file must last as well as what is in it.
    let kept = file.sync_all().and_then(|()| File::open(directory(path))?.sync_all());
    kept.map_err(|error| failed(path, "cannot be written", &error))?;
    Ok((file, chain))
}

/// Follows the chain of a locked file, and moves what a crash has torn off out of its way.
fn recover(path: &Path, file: &File) -> Result<Chain, Problem> {
    let failed = |error: io::Error| failed(path, "cannot be read", &error);
    let mut reader: &File = file;
    reader.rewind().map_err(failed)?;
    let chain = follow(reader, After::Any).map_err(|error| {
        let fix = "nothing is appended to a broken chain: find out who changed the file, move it \
                   away to keep it, and start with a new one";
        Problem::new(format!("{}: {error}", path.display()), fix)
    })?;
    if chain.torn > 0 {
        set_aside(path, file, chain).map_err(failed)?;
    }
    Ok(chain)
}

/// Keeps the torn bytes in a file of their own and cuts them off: they are no decision that
/// anybody was told of, but they may say what happened.
fn set_aside(path: &Path, file: &File, chain: Chain) -> io::Result<()> {
    let mut torn = vec![0; usize::try_from(chain.torn).unwrap_or(LONGEST).min(LONGEST)];
    file.read_exact_at(&mut torn, chain.bytes)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".torn-{}", unix_ms()));
    let kept = PathBuf::from(name);
    let mut options = OpenOptions::new();
    let mut copy = options.write(true).create_new(true).mode(0o600).open(&kept)?;
    copy.write_all(&torn)?;
    copy.sync_all()?;
    file.set_len(chain.bytes)?;
    let (path, kept) = (path.display(), kept.display());
    tracing::warn!("{path}: {} bytes of a torn last line were moved to {kept}", torn.len());
    Ok(())
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

fn failed(path: &Path, what: &str, error: &io::Error) -> Problem {
    let fixes = [
        (io::ErrorKind::NotFound, "make the directory first"),
        (io::ErrorKind::PermissionDenied, "let the user of this process write there"),
        (io::ErrorKind::StorageFull, "make room on the disk"),
    ];
    let known = fixes.iter().find(|(kind, _)| *kind == error.kind());
    let fix = known.map_or("see that the disk is there, whole and writable", |(_, fix)| *fix);
    Problem::new(format!("{} {what}: {error}", path.display()), fix)
}
