//! A small disk for the databases: a tablespace on the tmpfs SOAK_DISK. WAL is elsewhere, because a server without
//! space for WAL stops.

use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

pub struct Disk {
    root: PathBuf,
    directories: AtomicU32,
}

impl Disk {
    pub fn new() -> Self {
        let root = env::var("SOAK_DISK");
        Self {
            root: root
                .expect("SOAK_DISK is a small file system: run `make soak`")
                .into(),
            directories: AtomicU32::new(0),
        }
    }

    /// A new directory for a tablespace.
    pub fn directory(&self) -> PathBuf {
        let number = self.directories.fetch_add(1, Ordering::Relaxed);
        let directory = self.root.join(format!("tablespace-{number}"));
        fs::create_dir(&directory).expect("the disk is not full yet");
        directory
    }

    /// Leaves no space.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("a file can be created");
        for block in [vec![0; 64 * 1024], vec![0; 4 * 1024]] {
            loop {
                match ballast.write_all(&block) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("the disk cannot be filled: {error}"),
                }
            }
        }
    }

    /// Leaves the space that there was.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("the ballast can be removed");
    }

    fn ballast(&self) -> PathBuf {
        self.root.join("ballast")
    }
}
