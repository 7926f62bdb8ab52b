//! What the kernel says of this process: memory and descriptors. The files it says it in are opened at
//! the start, before the process gives up reading others.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Mutex;

use rustix::fs::Dir;

/// `/proc/self`, where there is one.
#[derive(Debug, Default)]
pub struct Process {
    memory: Option<File>,
    descriptors: Option<Mutex<Dir>>,
}

impl Process {
    /// Opens what it will be read from.
    pub fn open() -> Self {
        let descriptors = File::open("/proc/self/fd").ok().and_then(|fd| Dir::new(fd).ok());
        Self {
            memory: File::open("/proc/self/statm").ok(),
            descriptors: descriptors.map(Mutex::new),
        }
    }

    /// Bytes of memory that are resident.
    pub(super) fn resident(&self) -> Option<i64> {
        let mut text = [0; 128];
        let read = self.memory.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..read)?).ok()?;
        // proc_pid_statm(5): the second is resident, in pages.
        let pages: i64 = text.split(' ').nth(1)?.parse().ok()?;
        pages.checked_mul(i64::try_from(rustix::param::page_size()).ok()?)
    }

    /// Descriptors that are open.
    pub(super) fn open_descriptors(&self) -> Option<i64> {
        let mut directory = self.descriptors.as_ref()?.lock().ok()?;
        directory.rewind();
        let mut count = 0;
        while let Some(entry) = directory.read() {
            count += i64::from(!entry.ok()?.file_name().to_bytes().starts_with(b"."));
        }
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_descriptor_is_one_more() {
        let process = Process::open();
        assert!(process.resident().expect("Linux says it") > 1 << 20);
        // Other tests open and close some at the same time.
        let open: Vec<_> =
            (0..500).map(|_| File::open("/dev/null").expect("it is there")).collect();
        let before = process.open_descriptors().expect("Linux says it");
        assert!(before >= 500, "{before}");
        drop(open);
    }
}
