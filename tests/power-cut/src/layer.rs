//! The C side: a virtual file system of SQLite over [`Disk`]s.
//! Documented at <https://sqlite.org/c3ref/vfs.html> and <https://sqlite.org/c3ref/io_methods.html>.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt;
use std::mem::size_of;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use rusqlite::ffi;

use crate::disk::{Change, Dead, Disk, DiskOptions};
use crate::locks::Holder;

/// Under this name SQLite knows the layer.
pub(crate) const NAME: &str = "power-cut";
const C_NAME: &CStr = c"power-cut";

/// A part of the shared index. SQLite's connections write to it as they agree among themselves, through locks that
/// this crate keeps for them.
pub(crate) struct Region(Box<UnsafeCell<[u8]>>);

// SAFETY: nothing of this crate reads or writes the bytes; SQLite orders its own accesses with locks and barriers.
unsafe impl Send for Region {}

impl Region {
    fn new(size: usize) -> Self {
        let bytes: Box<[u8]> = vec![0; size].into_boxed_slice();
        // SAFETY: `UnsafeCell<[u8]>` has the layout of `[u8]`.
        Self(unsafe { Box::from_raw(Box::into_raw(bytes) as *mut UnsafeCell<[u8]>) })
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Region")
    }
}

/// What SQLite holds for an open file: its own head, then ours.
#[repr(C)]
struct OpenFile {
    head: ffi::sqlite3_file,
    handle: *mut Handle,
}

/// One open file.
struct Handle {
    disk: Disk,
    file: usize,
    holder: Holder,
    /// Whether it is a write-ahead log.
    log: bool,
    /// Whether its first sync takes the folder along.
    syncs_folder: bool,
    uses_index: bool,
    delete_on_close: Option<String>,
}

static HOLDERS: AtomicU64 = AtomicU64::new(1);

/// Makes the layer known to SQLite, once in a process. It never becomes the default.
pub(crate) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: finding the default layer initialises SQLite; the answer lives as long as the process.
        let default = unsafe { ffi::sqlite3_vfs_find(ptr::null()).as_ref() };
        let default = default.expect("SQLite has a default layer");
        // Time, sleep and randomness are the default layer's own; they look at no field of it.
        let layer = Box::leak(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: size_of::<OpenFile>() as c_int,
            mxPathname: 512,
            pNext: ptr::null_mut(),
            zName: C_NAME.as_ptr(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            ..*default
        }));
        // SAFETY: the structure is whole and is never freed.
        let registered = unsafe { ffi::sqlite3_vfs_register(layer, 0) };
        assert_eq!(registered, ffi::SQLITE_OK, "SQLite takes the layer");
    });
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// The text of a name.
///
/// # Safety
/// `name` is null or ends with a zero byte.
unsafe fn text<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(name) }.to_str().ok()
}

/// Our side of an open file.
///
/// # Safety
/// `file` was opened by [`open`] and not closed since.
unsafe fn handle<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Handle {
    // SAFETY: `open` has put a handle there, and SQLite uses a file from one thread at a time.
    unsafe { &mut *(*file.cast::<OpenFile>()).handle }
}

fn answer(done: Result<(), Dead>, failure: c_int) -> c_int {
    match done {
        Ok(()) => ffi::SQLITE_OK,
        Err(Dead) => failure,
    }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let open_file = file.cast::<OpenFile>();
    // SAFETY: SQLite gives `szOsFile` bytes; without methods it does not close what failed to open.
    unsafe { (*open_file).head.pMethods = ptr::null() };
    // SAFETY: a name that SQLite gives ends with a zero byte.
    let path = unsafe { text(name) };
    let (disk, name) = match path {
        Some(path) => match Disk::find(path) {
            Some((disk, name)) => (disk, name.to_owned()),
            None => return ffi::SQLITE_CANTOPEN,
        },
        // A temporary file is nobody's after a power cut: it lies on a disk of its own.
        None => (Disk::new(DiskOptions::default()), "temporary".to_owned()),
    };
    let create = flags & ffi::SQLITE_OPEN_CREATE != 0;
    let found = disk.platter().open(&name, create, disk.options());
    let Ok(Some(found)) = found else {
        return ffi::SQLITE_CANTOPEN;
    };
    let journal =
        ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;
    let made = Box::new(Handle {
        disk,
        file: found,
        holder: HOLDERS.fetch_add(1, Ordering::Relaxed),
        log: flags & ffi::SQLITE_OPEN_WAL != 0,
        syncs_folder: create && flags & journal != 0,
        uses_index: false,
        delete_on_close: (flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0).then_some(name),
    });
    // SAFETY: as above; `out_flags` is null or points to an integer.
    unsafe {
        (*open_file).handle = Box::into_raw(made);
        (*open_file).head.pMethods = &raw const METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: a name that SQLite gives ends with a zero byte.
    let Some((disk, name)) = unsafe { text(name) }.and_then(Disk::find) else {
        return ffi::SQLITE_IOERR_DELETE_NOENT;
    };
    let mut platter = disk.platter();
    if platter.alive().is_ok() && !platter.names.contains_key(name) {
        return ffi::SQLITE_IOERR_DELETE_NOENT;
    }
    let done = platter.operate(disk.options());
    if platter.names.contains_key(name) {
        platter.rename(name, None);
    }
    if done.is_ok() && sync_folder != 0 {
        platter.sync_names();
    }
    answer(done, ffi::SQLITE_IOERR_DELETE)
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: a name that SQLite gives ends with a zero byte.
    let found = unsafe { text(name) }.and_then(Disk::find);
    let there = found.is_some_and(|(disk, name)| {
        let platter = disk.platter();
        let file = platter.names.get(name).map(|file| &platter.files[*file]);
        // As on Unix: an empty journal is none.
        file.is_some_and(|file| flags != ffi::SQLITE_ACCESS_EXISTS || !file.seen.is_empty())
    });
    // SAFETY: `out` points to an integer.
    unsafe { *out = c_int::from(there) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: a name that SQLite gives ends with a zero byte.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if bytes.len() > size as usize {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: `out` has room for `size` bytes, and the two do not overlap.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once.
    let handle = unsafe { Box::from_raw((*file.cast::<OpenFile>()).handle) };
    let mut platter = handle.disk.platter();
    let at = &mut platter.files[handle.file];
    at.locks.unlock(handle.holder, 0);
    at.index.locks.unlock(handle.holder, 0, 8);
    if let Some(name) = &handle.delete_on_close
        && platter.alive().is_ok()
    {
        platter.rename(name, None);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    out: *mut c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives an open file.
    let handle = unsafe { handle(file) };
    let platter = handle.disk.platter();
    if platter.alive().is_err() {
        return ffi::SQLITE_IOERR_READ;
    }
    let content = &platter.files[handle.file].seen;
    let (from, amount) = (offset as usize, amount as usize);
    let there = content.get(from..).unwrap_or_default();
    let there = &there[..there.len().min(amount)];
    let out = out.cast::<u8>();
    // SAFETY: `out` has room for `amount` bytes. What is beyond the end of the file must be zero.
    unsafe {
        ptr::copy_nonoverlapping(there.as_ptr(), out, there.len());
        ptr::write_bytes(out.add(there.len()), 0, amount - there.len());
    }
    if there.len() < amount {
        return ffi::SQLITE_IOERR_SHORT_READ;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives an open file, and `amount` bytes.
    let (handle, bytes) = unsafe {
        let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), amount as usize);
        (handle(file), bytes.to_vec())
    };
    let change = Change::Write {
        at: offset as usize,
        bytes,
    };
    answer(handle.change(change), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives an open file.
    let handle = unsafe { handle(file) };
    let done = handle.change(Change::Length(size as usize));
    answer(done, ffi::SQLITE_IOERR_TRUNCATE)
}

impl Handle {
    /// The write that the power fails in is under way: it is among those that may arrive.
    fn change(&self, change: Change) -> Result<(), Dead> {
        let mut platter = self.disk.platter();
        platter.alive()?;
        if !self.log {
            platter.catch_up();
        }
        let done = platter.operate(self.disk.options());
        platter.files[self.file].change(change);
        done
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    let handle = unsafe { handle(file) };
    let mut platter = handle.disk.platter();
    let done = platter.operate(handle.disk.options());
    if done.is_ok() {
        let options = handle.disk.options();
        platter.sync(handle.file, handle.log, handle.syncs_folder, options);
    }
    answer(done, ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(
    file: *mut ffi::sqlite3_file,
    out: *mut ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives an open file.
    let handle = unsafe { handle(file) };
    let platter = handle.disk.platter();
    // SAFETY: `out` points to an integer.
    unsafe { *out = platter.files[handle.file].seen.len() as ffi::sqlite3_int64 };
    answer(platter.alive(), ffi::SQLITE_IOERR_FSTAT)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    let handle = unsafe { handle(file) };
    let mut platter = handle.disk.platter();
    if platter.alive().is_err() {
        return ffi::SQLITE_IOERR_LOCK;
    }
    if platter.files[handle.file]
        .locks
        .lock(handle.holder, level as u8)
    {
        ffi::SQLITE_OK
    } else {
        ffi::SQLITE_BUSY
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    let handle = unsafe { handle(file) };
    let mut platter = handle.disk.platter();
    platter.files[handle.file]
        .locks
        .unlock(handle.holder, level as u8);
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    let handle = unsafe { handle(file) };
    let platter = handle.disk.platter();
    // SAFETY: `out` points to an integer.
    unsafe { *out = c_int::from(platter.files[handle.file].locks.is_reserved()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

/// As on Unix.
unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    4096
}

/// As on Unix: a torn write harms nothing beside it.
unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite gives an open file.
    let handle = unsafe { handle(file) };
    let mut platter = handle.disk.platter();
    let index = &mut platter.files[handle.file].index;
    if !handle.uses_index {
        handle.uses_index = true;
        index.users += 1;
    }
    let page = page as usize;
    while extend != 0 && index.regions.len() <= page {
        index.regions.push(Region::new(size as usize));
    }
    let region = index.regions.get(page);
    let at = region.map_or(ptr::null_mut(), |region| region.0.get().cast::<c_void>());
    // SAFETY: `out` points to a pointer. The region stays where it is until its last user is gone.
    unsafe { *out = at };
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    first: c_int,
    n: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: SQLite gives an open file.
    let handle = unsafe { handle(file) };
    let mut platter = handle.disk.platter();
    let dead = platter.alive().is_err();
    let locks = &mut platter.files[handle.file].index.locks;
    let (first, n) = (first as usize, n as usize);
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        locks.unlock(handle.holder, first, n);
        return ffi::SQLITE_OK;
    }
    if dead {
        return ffi::SQLITE_IOERR_SHMLOCK;
    }
    let granted = if flags & ffi::SQLITE_SHM_SHARED != 0 {
        locks.lock_shared(handle.holder, first, n)
    } else {
        locks.lock_exclusive(handle.holder, first, n)
    };
    if granted {
        ffi::SQLITE_OK
    } else {
        ffi::SQLITE_BUSY
    }
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    let handle = unsafe { handle(file) };
    let mut platter = handle.disk.platter();
    let index = &mut platter.files[handle.file].index;
    if std::mem::take(&mut handle.uses_index) {
        index.users -= 1;
        index.locks.unlock(handle.holder, 0, 8);
        if index.users == 0 {
            index.regions.clear();
        }
    }
    ffi::SQLITE_OK
}
