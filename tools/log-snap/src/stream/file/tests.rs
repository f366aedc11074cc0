//! Tests of reading log files while they grow, and are rotated, compressed, emptied or removed.

use super::*;
use std::io::Write as _;

struct Log {
    dir: tempfile::TempDir,
    tail: Tail,
    lines: Vec<String>,
    next: u32,
}

impl Log {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tail = Tail::new(dir.path().join("x-json.log"), Driver::Json);
        let log = Self { dir, tail, lines: Vec::new(), next: 0 };
        log.append("");
        log
    }

    fn path(&self, end: &str) -> PathBuf {
        self.dir.path().join(format!("x-json.log{end}"))
    }

    fn append(&self, text: &str) {
        let mut file = fs::File::options().append(true).create(true).open(self.path("")).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn write(&mut self, count: u32) {
        for _ in 0..count {
            let n = self.next;
            self.next += 1;
            self.append(&format!(
                "{{\"log\":\"line {n}\\n\",\"stream\":\"stdout\",\"time\":\"2190-01-02T03:04:05.{n:09}Z\"}}\n"
            ));
        }
    }

    /// Rotates the files as the driver does.
    fn rotate(&self, files: u32) {
        let _ = fs::remove_file(self.path(&format!(".{}", files - 1)));
        for number in (1..files - 1).rev() {
            let _ = fs::rename(self.path(&format!(".{number}")), self.path(&format!(".{}", number + 1)));
        }
        fs::rename(self.path(""), self.path(".1")).unwrap();
        self.append("");
    }

    fn compress(&self, number: u32) {
        let plain = self.path(&format!(".{number}"));
        let file = fs::File::create(self.path(&format!(".{number}.gz"))).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(&fs::read(&plain).unwrap()).unwrap();
        encoder.finish().unwrap();
        fs::remove_file(plain).unwrap();
    }

    fn read(&mut self) {
        let lines = &mut self.lines;
        self.tail
            .read(None, &mut |entry| lines.push(String::from_utf8(entry.text.to_vec()).unwrap()))
            .unwrap();
    }

    fn assert_whole(&self) {
        let expected: Vec<String> = (0..self.next).map(|n| format!("line {n}")).collect();
        assert_eq!(self.lines, expected);
        assert_eq!((self.tail.lost, self.tail.damaged), (None, 0));
    }
}

#[test]
fn a_file_that_grows() {
    let mut log = Log::new();
    log.read();
    log.write(3);
    log.read();
    log.append("{\"log\":\"line 3\\n\",\"stream\":\"std");
    log.read();
    assert_eq!(log.lines.len(), 3, "half a record waits");
    log.append("out\",\"time\":\"2026-01-02T03:04:05.5Z\"}\n");
    log.next = 4;
    log.read();
    log.assert_whole();
}

#[test]
fn older_files_come_first() {
    let mut log = Log::new();
    for rotation in 0..4 {
        log.write(5);
        log.rotate(9);
        if rotation < 2 {
            log.compress(1);
            // The engine also renames the compressed files.
            let _ = fs::rename(log.path(".1.gz"), log.path(".2.gz.tmp"));
            let _ = fs::rename(log.path(".2.gz"), log.path(".3.gz"));
            let _ = fs::rename(log.path(".2.gz.tmp"), log.path(".1.gz"));
        }
        let _ = fs::rename(log.path(".1.gz"), log.path(&format!(".keep{rotation}")));
    }
    // Now .2 and .1 are plain, and .4 and .3 are compressed.
    fs::rename(log.path(".keep0"), log.path(".4.gz")).unwrap();
    fs::rename(log.path(".keep1"), log.path(".3.gz")).unwrap();
    log.write(2);
    log.read();
    log.assert_whole();
}

#[test]
fn rotations_between_two_readings() {
    for rotations in 1..4 {
        let mut log = Log::new();
        log.write(4);
        log.read();
        for _ in 0..rotations {
            log.write(3);
            log.rotate(5);
        }
        log.write(2);
        log.read();
        log.assert_whole();
        log.write(1);
        log.read();
        log.assert_whole();
    }
}

#[test]
fn an_ended_log_that_goes_on_is_read_on() {
    let mut log = Log::new();
    log.write(4);
    log.read();
    log.tail.finish();
    log.write(2);
    log.read();
    log.tail.finish();
    log.rotate(5);
    log.write(2);
    log.read();
    log.assert_whole();
}

#[test]
fn a_rotated_file_that_was_compressed_meanwhile_is_known_again() {
    let mut log = Log::new();
    log.write(4);
    log.read();
    log.write(3);
    log.rotate(5);
    log.compress(1);
    log.write(2);
    log.read();
    log.assert_whole();
}

#[test]
fn a_rotation_that_was_too_fast_is_said() {
    let mut log = Log::new();
    log.write(4);
    log.read();
    for _ in 0..4 {
        log.write(3);
        log.rotate(3);
    }
    log.read();
    assert!(log.lines.len() < 16 && log.lines.last().unwrap() == "line 15", "{:?}", log.lines);
    assert!(log.tail.lost.unwrap().contains("rotated"));
}

/// A log that its driver cut before anybody read it: the records are older than the file that holds them.
#[test]
fn what_was_rotated_away_before_is_said() {
    let mut log = Log::new();
    log.append("{\"log\":\"line 62\\n\",\"stream\":\"stdout\",\"time\":\"2020-01-02T03:04:05.1Z\"}\n");
    log.read();
    assert!(log.tail.lost.unwrap().contains("rotated away"));

    let mut log = Log::new();
    (log.tail.keeps, log.next) = (Some(3), 0);
    for _ in 0..2 {
        log.write(3);
        log.rotate(3);
    }
    log.compress(2);
    log.compress(1);
    log.write(1);
    log.read();
    assert!(log.tail.lost.unwrap().contains("as many files"), "nobody can tell");
}

#[test]
fn a_file_that_was_emptied_is_said() {
    let mut log = Log::new();
    log.write(4);
    log.read();
    fs::File::create(log.path("")).unwrap();
    log.write(6);
    log.read();
    assert_eq!((log.lines.len(), log.tail.lost.is_some()), (10, true), "even where it has grown beyond");
}

#[test]
fn a_removed_file_was_read_to_its_end() {
    let mut log = Log::new();
    log.write(2);
    log.read();
    log.write(2);
    fs::remove_file(log.path("")).unwrap();
    log.read();
    log.assert_whole();
}

#[test]
fn damage_is_counted_and_the_deadline_kept() {
    let mut log = Log::new();
    log.write(1);
    log.append("\0\0\0garbage\n");
    log.write(1);
    log.append("{\"log\":\"torn");
    log.read();
    log.tail.finish();
    assert_eq!((log.lines.len(), log.tail.damaged), (2, 2));
    log.write(1);
    assert!(matches!(log.tail.read(Some(Instant::now()), &mut |_| {}), Err(Stopped::Deadline)));
}

#[test]
fn the_local_driver() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("containers/abc/local-logs");
    fs::create_dir_all(&folder).unwrap();
    let record = local::tests::record;
    let whole = [record("stdout", 1, b"a\xff", None), record("stderr", 2, b"b", None)].concat();
    fs::write(folder.join("container.log"), &whole[..whole.len() - 3]).unwrap();
    let mut tail = Tail::find(dir.path(), "abc").unwrap();
    assert_eq!(tail.driver, Driver::Local);
    let mut texts = Vec::new();
    tail.read(None, &mut |entry| texts.push(entry.text.to_vec())).unwrap();
    fs::write(folder.join("container.log"), &whole).unwrap();
    tail.read(None, &mut |entry| texts.push(entry.text.to_vec())).unwrap();
    assert_eq!(texts, [b"a\xff".to_vec(), b"b".to_vec()]);
    assert!(Tail::find(dir.path(), "../x").is_none() && Tail::find(dir.path(), "def").is_none());
}
