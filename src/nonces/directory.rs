//! The state directory: whose it must be, and the files in it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::problem::Problem;

/// A directory that is ours alone, or that those share who named it.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// The mode of its files.
    mode: u32,
}

/// Why a directory is not used.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// Others could set its numbers back.
    Unsafe(Problem),
    /// It cannot be made or written.
    Unwritable(Problem),
}

impl Fault {
    pub(super) fn problem(&self) -> &Problem {
        let (Self::Unsafe(problem) | Self::Unwritable(problem)) = self;
        problem
    }
}

impl Directory {
    /// Opens a directory, or makes it with mode 0700. One that is `named` in the configuration may
    /// be another user's or its group's: that is how users share one.
    pub(super) fn open(path: &Path, named: bool) -> Result<Self, Fault> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        match made {
            // What is there is judged for what it is.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(unwritable(path, "cannot be made", &error));
            }
            _ => {}
        }
        let mode = look(path, named)?;
        Ok(Self { path: path.to_owned(), mode: 0o600 | mode & 0o060 })
    }

    /// Opens one of its files, or makes it. Its name is on the disk when this returns.
    pub(super) fn file(&self, name: &str) -> Result<File, Problem> {
        let path = self.path.join(name);
        let failed = |error: &io::Error| failed(&path, "cannot be used", error);
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            let what = format!("{} is no regular file", path.display());
            return Err(Problem::new(what, "remove it"));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(self.mode);
        let file = options.open(&path).map_err(|error| failed(&error))?;
        let found = file.metadata().map_err(|error| failed(&error))?;
        if found.len() == 0 {
            if self.mode != 0o600 && found.uid() == geteuid().as_raw() {
                // Whatever the umask says: those who share the directory write here.
                let shared = file.set_permissions(Permissions::from_mode(self.mode));
                shared.map_err(|error| failed(&error))?;
            }
            let kept = File::open(&self.path).and_then(|directory| directory.sync_all());
            kept.map_err(|error| failed(&error))?;
        }
        Ok(file)
    }

    /// Where a file is, for messages.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Judges a directory that is there; its mode.
pub(super) fn look(path: &Path, named: bool) -> Result<u32, Fault> {
    let own = geteuid().as_raw();
    let is_ours = |uid: u32| uid == own || uid == 0;
    let shown = path.display();
    let unsafe_ = |what: String, fix: String| Err(Fault::Unsafe(Problem::new(what, fix)));
    let link = fs::symlink_metadata(path).map_err(|error| unwritable(path, "is lost", &error))?;
    if link.is_symlink() && !is_ours(link.uid()) {
        let what = format!("{shown} is a symbolic link of another user");
        return unsafe_(what, "name the directory itself".into());
    }
    // What a link of ours leads to is judged as it is: systemd's are such for DynamicUser.
    let found = fs::metadata(path).map_err(|error| unwritable(path, "is lost", &error))?;
    if !found.is_dir() {
        return unsafe_(format!("{shown} is no directory"), "name a directory".into());
    }
    let mode = found.mode() & 0o7777;
    if !(found.uid() == own || named) {
        let what = format!("{shown} is another user's, and [nonces] state does not name it");
        return unsafe_(what, format!("chown {own} {shown}"));
    }
    if mode & 0o002 != 0 {
        let what = format!("{shown} can be written by others (mode {mode:04o})");
        return unsafe_(what, format!("chmod o-w {shown}"));
    }
    if mode & 0o020 != 0 && !named {
        let what = format!("{shown} can be written by its group (mode {mode:04o})");
        return unsafe_(what, format!("chmod g-w {shown}"));
    }
    Ok(mode)
}

fn unwritable(path: &Path, what: &str, error: &io::Error) -> Fault {
    Fault::Unwritable(failed(path, what, error))
}

/// What a file or directory could not do, and what to look after.
pub(super) fn failed(path: &Path, what: &str, error: &io::Error) -> Problem {
    let fixes = [
        (io::ErrorKind::StorageFull, "make room on the disk"),
        (io::ErrorKind::InvalidData, "stop those that sign with the key, and remove the file"),
    ];
    let known = fixes.iter().find(|(kind, _)| *kind == error.kind()).map(|(_, fix)| *fix);
    let fix =
        known.unwrap_or("write state = \"DIR\" below [nonces], a directory that can be written");
    Problem::new(format!("{} {what}: {error}", path.display()), fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_could_write_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b");
        assert!(Directory::open(&path, false).is_ok());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        for (mode, unnamed, named) in
            [(0o700, true, true), (0o755, true, true), (0o770, false, true), (0o707, false, false)]
        {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(look(&path, false).is_ok(), unnamed, "{mode:o}");
            assert_eq!(look(&path, true).is_ok(), named, "{mode:o}");
        }
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(look(&file, true), Err(Fault::Unsafe(_))));
        assert!(matches!(Directory::open(&file.join("x"), true), Err(Fault::Unwritable(_))));
    }

    #[test]
    fn a_shared_directory_has_shared_files_and_none_is_a_link() {
        let home = tempfile::tempdir().unwrap();
        for (mode, files) in [(0o700, 0o600), (0o770, 0o660)] {
            fs::set_permissions(home.path(), Permissions::from_mode(mode)).unwrap();
            let directory = Directory::open(home.path(), true).unwrap();
            let name = format!("{mode:o}");
            let found = directory.file(&name).unwrap().metadata().unwrap();
            assert_eq!(found.mode() & 0o7777, files);
        }
        std::os::unix::fs::symlink("elsewhere", home.path().join("link")).unwrap();
        let directory = Directory::open(home.path(), true).unwrap();
        assert!(directory.file("link").is_err());
        assert!(!home.path().join("elsewhere").exists());
    }
}
