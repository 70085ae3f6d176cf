//! Archives that are nearly those of the table: damage below the compression, where a mutation of the .tgz never gets.

use super::{gunzip, table};

/// Numbers that look like chance and repeat with their seed.
#[derive(Debug, Clone)]
pub struct Chance(pub u64);

impl Chance {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `limit`, 0 where there is none.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.number() % (limit.max(1) as u64)).unwrap_or(0)
    }

    /// Bytes that do not compress.
    #[must_use]
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..=length / 8).flat_map(|_| self.number().to_le_bytes()).collect();
        bytes.truncate(length);
        bytes
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

const BLOCK: usize = 512;

/// Archives at the beginning of the table that are read.
const HONEST: usize = 17;

/// Where the fields of a header stand, and what makes readers differ there.
const FIELDS: &[(usize, usize)] =
    &[(0, 100), (100, 8), (108, 8), (124, 12), (136, 12), (156, 1), (157, 100), (257, 6), (263, 2), (345, 155), (500, 12)];
const BYTES: &[u8] = b"\0 /\\.:01789LKxgSXDVMN\x80\xff\ncCvVeE=+-~";

/// The tars of the table that are small enough to be mutated by the thousand.
#[must_use]
pub fn tars() -> Vec<Vec<u8>> {
    let tars = table().into_iter().filter(|case| case.bytes.len() < 8 << 10).map(|case| gunzip(&case.bytes));
    tars.filter(|tar| tar.len() >= 2 * BLOCK && tar.len() <= 32 << 10).collect()
}

/// One of the tars after one to four changes; most keep their checksums right, or no reader would look further.
#[must_use]
pub fn mutate(tars: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut chance = Chance(seed);
    // The honest ones come first, and more of what is near them is read.
    let from = if chance.below(4) > 0 { &tars[..tars.len().min(HONEST)] } else { tars };
    let mut tar = chance.pick(from).cloned().unwrap_or_default();
    for _ in 0..=chance.below(4) {
        change(&mut tar, tars, &mut chance);
    }
    if chance.below(8) > 0 {
        checksums(&mut tar);
    }
    tar
}

fn change(tar: &mut Vec<u8>, tars: &[Vec<u8>], chance: &mut Chance) {
    let blocks = tar.len() / BLOCK;
    let at = chance.below(blocks) * BLOCK;
    if at + BLOCK > tar.len() {
        return;
    }
    match chance.below(8) {
        0..=2 => {
            let (start, length) = chance.pick(FIELDS).copied().unwrap_or((0, 1));
            // Short strings stand at a field's beginning: half of the changes go there.
            let within = if chance.below(2) == 0 { chance.below(length.min(12)) } else { chance.below(length) };
            tar[at + start + within] = chance.pick(BYTES).copied().unwrap_or(0);
        }
        3 => tar[at + chance.below(BLOCK)] ^= 1 << chance.below(8),
        4 => {
            tar.drain(at..at + BLOCK);
        }
        5 => {
            let block = tar[at..at + BLOCK].to_vec();
            let to = chance.below(blocks) * BLOCK;
            tar.splice(to..to, block);
        }
        6 => {
            let other = chance.pick(tars).cloned().unwrap_or_default();
            let from = chance.below(other.len() / BLOCK) * BLOCK;
            let to = (from + (1 + chance.below(4)) * BLOCK).min(other.len());
            tar.splice(at..at, other[from..to].iter().copied());
        }
        _ => {
            let (start, length) = chance.pick(FIELDS).copied().unwrap_or((0, 1));
            let other = chance.pick(tars).cloned().unwrap_or_default();
            let from = chance.below(other.len() / BLOCK) * BLOCK;
            if let Some(field) = other.get(from + start..from + start + length) {
                tar[at + start..at + start + length].copy_from_slice(field);
            }
        }
    }
}

/// Makes every block that looks like a header one with the right checksum.
fn checksums(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(BLOCK).filter(|block| block[257..262] == *b"ustar") {
        let sum: u32 = block[..148].iter().chain(&block[156..]).map(|b| u32::from(*b)).sum::<u32>() + 8 * 32;
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
