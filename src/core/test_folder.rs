//! A folder of a test's own, gone with it.

use std::path::{Path, PathBuf};

pub struct TestFolder(PathBuf);

impl TestFolder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("voxhall-test-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
