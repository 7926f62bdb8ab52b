//! A record in a state file: the last number, and a mark on the disk that no number has passed.
//!
//! What is written survives the process; only what is synchronised survives the machine. So a number
//! is given up to the mark alone, and after another start of the machine one begins behind the mark.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use super::directory::{Directory, failed};
use crate::problem::Problem;

/// A state file, open.
#[derive(Clone, Debug)]
pub(super) struct Record {
    file: Arc<File>,
    path: PathBuf,
}

/// What stands in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Kept {
    /// The last number that was given, or reserved.
    pub(super) last: u64,
    /// What no number has passed.
    pub(super) mark: u64,
}

/// The lock on a file, until it is dropped.
#[derive(Debug)]
pub(super) struct Locked<'a>(&'a File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // It fails for no file that could be locked, and a process that ends lets go as well.
        let _unlocked = self.0.unlock();
    }
}

/// Two numbers of twenty digits and the machine's start, each with what ends it.
const LENGTH: usize = 2 * 21 + BOOT + 1;
const BOOT: usize = 36;

impl Record {
    pub(super) fn open(directory: &Directory, name: &str) -> Result<Self, Problem> {
        let file = Arc::new(directory.file(name)?);
        Ok(Self { file, path: directory.place(name) })
    }

    /// What stands there, to somebody who has the lock and has just opened it. Where the machine does
    /// not tell one start from another, this may be the first after one.
    pub(super) fn begin(&self) -> io::Result<Kept> {
        let Kept { last, mark } = self.read()?;
        if !BOOT_ID.is_empty() || last >= mark {
            return Ok(Kept { last, mark });
        }
        let kept = Kept { last: mark, mark };
        self.write(kept).map(|()| kept)
    }

    /// The lock, where nobody has it.
    pub(super) fn try_lock(&self) -> io::Result<Option<Locked<'_>>> {
        match self.file.try_lock() {
            Ok(()) => Ok(Some(Locked(&self.file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock for as long as the file is open.
    pub(super) fn try_keep(&self) -> io::Result<bool> {
        Ok(self.try_lock()?.map(std::mem::forget).is_some())
    }

    /// What stands there; nothing in a new file.
    pub(super) fn read(&self) -> io::Result<Kept> {
        let mut bytes = [0; LENGTH];
        let mut read = 0;
        while read < LENGTH {
            match self.file.read_at(&mut bytes[read..], read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        if read == 0 {
            return Ok(Kept::default());
        }
        let strange = || io::Error::new(io::ErrorKind::InvalidData, "it has not our form");
        let text = std::str::from_utf8(&bytes[..read]).map_err(|_| strange())?;
        let mut words = text.trim_end_matches('\n').split(' ');
        let mut number = || words.next()?.parse::<u64>().ok();
        let (last, mark) = number().zip(number()).filter(|_| read == LENGTH).ok_or_else(strange)?;
        let same_start = words.next() == Some(&**BOOT_ID);
        Ok(Kept { last: if same_start { last } else { last.max(mark) }, mark })
    }

    /// Writes both numbers, by one call.
    pub(super) fn write(&self, kept: Kept) -> io::Result<()> {
        let Kept { last, mark } = kept;
        let line = format!("{last:020} {mark:020} {:BOOT$}\n", &**BOOT_ID);
        self.file.write_all_at(line.as_bytes(), 0)
    }

    /// Brings what was written to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(super) fn failed(&self, error: &io::Error) -> Problem {
        failed(&self.path, "cannot be used", error)
    }
}

/// Which start of the machine this is; empty where it does not tell.
static BOOT_ID: LazyLock<String> = LazyLock::new(|| {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let id = read.trim();
    if id.len() == BOOT && !id.contains(' ') { id.to_owned() } else { String::new() }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_start_of_the_machine_begins_behind_the_mark() {
        let home = tempfile::tempdir().unwrap();
        let directory = Directory::open(home.path(), false).unwrap();
        let record = Record::open(&directory, "key.ms").unwrap();
        assert_eq!(record.read().unwrap(), Kept::default());
        record.write(Kept { last: 7, mark: 30 }).unwrap();
        let again = Record::open(&directory, "key.ms").unwrap();
        assert_eq!(again.read().unwrap(), Kept { last: 7, mark: 30 });
        let path = home.path().join("key.ms");
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written.len(), LENGTH);
        let other = format!("{}{:BOOT$}\n", &written[..42], "another start");
        std::fs::write(&path, other).unwrap();
        assert_eq!(again.read().unwrap(), Kept { last: 30, mark: 30 });
        for strange in ["7 30\n", "x", &written[1..], &"0".repeat(LENGTH)] {
            std::fs::write(&path, strange).unwrap();
            let error = again.read().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{strange}");
        }
    }

    #[test]
    fn a_file_has_one_lock() {
        let home = tempfile::tempdir().unwrap();
        let directory = Directory::open(home.path(), false).unwrap();
        let open = || Record::open(&directory, "key.lane-0").unwrap();
        let (one, other) = (open(), open());
        let locked = one.try_lock().unwrap();
        assert!(locked.is_some() && other.try_lock().unwrap().is_none());
        drop(locked);
        assert!(other.try_keep().unwrap());
        assert!(!one.try_keep().unwrap());
        drop(other);
        assert!(one.try_keep().unwrap());
    }
}
