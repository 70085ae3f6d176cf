//! The one suite, over each store.

mod common;

mod memory {
    groundswell_store::conformance_suite!(super::common::Memory::default());
}

mod sled {
    groundswell_store::conformance_suite!(super::common::Sled::default());
}
