//! State of a server process: like that of `thread_local!`, but never dropped.
//!
//! `exit()` drops what belongs to the main thread before it calls PostgreSQL's last functions, such as the one that
//! aborts the transaction. These call the library, and a variable that has been dropped cannot be used any more.
//! PostgreSQL itself calls `exit()` so, for example in autovacuum when the postmaster has died.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::thread::LocalKey;

/// A variable that `process_local!` declares.
pub struct ProcessLocal<T: 'static>(LocalKey<ManuallyDrop<T>>);

impl<T> ProcessLocal<T> {
    pub const fn new(kept: LocalKey<ManuallyDrop<T>>) -> Self {
        Self(kept)
    }

    fn with<R>(&'static self, use_it: impl FnOnce(&T) -> R) -> R {
        self.0.with(|kept| use_it(kept))
    }
}

impl<T> ProcessLocal<Cell<T>> {
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    pub fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T> ProcessLocal<RefCell<T>> {
    pub fn with_borrow<R>(&'static self, use_it: impl FnOnce(&T) -> R) -> R {
        self.with(|cell| use_it(&cell.borrow()))
    }

    pub fn with_borrow_mut<R>(&'static self, use_it: impl FnOnce(&mut T) -> R) -> R {
        self.with(|cell| use_it(&mut cell.borrow_mut()))
    }

    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(RefCell::take)
    }

    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }

    pub fn set(&'static self, value: T) {
        self.replace(value);
    }
}

macro_rules! process_local {
    () => {};
    ($(#[$about:meta])* static $name:ident: $type:ty = const { $value:expr }; $($rest:tt)*) => {
        $(#[$about])*
        static $name: $crate::process_local::ProcessLocal<$type> = {
            thread_local! {
                static KEPT: std::mem::ManuallyDrop<$type> = const { std::mem::ManuallyDrop::new($value) };
            }
            $crate::process_local::ProcessLocal::new(KEPT)
        };
        $crate::process_local::process_local! { $($rest)* }
    };
    ($(#[$about:meta])* static $name:ident: $type:ty = $value:expr; $($rest:tt)*) => {
        $(#[$about])*
        static $name: $crate::process_local::ProcessLocal<$type> = {
            thread_local! {
                static KEPT: std::mem::ManuallyDrop<$type> = std::mem::ManuallyDrop::new($value);
            }
            $crate::process_local::ProcessLocal::new(KEPT)
        };
        $crate::process_local::process_local! { $($rest)* }
    };
}

pub(crate) use process_local;
