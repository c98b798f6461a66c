//! Text from which the same bits come back.

use pactolus_formats::Tid;

use super::Value;
use crate::spelling;

impl Value {
    /// Element `index` as [`Value::text`] shows it where that loses nothing. Where it does: a number has as
    /// many digits as it needs, a BITFIELD is `0x0f`, a NaN unlike the usual one says its bits
    /// (`NAN:0xffc00000`), and bytes that are no UTF-8 are [spelled](spelling). [`Value::push_exact`] reads it.
    ///
    /// ```
    /// # use pactolus_odb::Value;
    /// let value = Value::from(vec![0.1_f32, 1.0 / 3.0, -0.0, f32::NAN]);
    /// let texts: Vec<String> = (0..value.len()).map(|index| value.exact(index)).collect();
    /// assert_eq!(texts, ["0.1", "0.33333334", "-0", "NAN"]);
    /// ```
    pub fn exact(&self, index: usize) -> String {
        let mut out = Vec::new();
        match self {
            Value::Float(a) if a.get(index).is_some_and(|x| x.is_nan()) => {
                return nan(a[index].to_bits(), f32::NAN.to_bits());
            }
            Value::Double(a) if a.get(index).is_some_and(|x| x.is_nan()) => {
                return nan(a[index].to_bits(), f64::NAN.to_bits());
            }
            other => other.write_exact(index, &mut out),
        }
        spelling::from_bytes(&out)
    }

    /// Appends an element that [`Value::exact`] has written; says whether the text is one, all of it. The room
    /// of strings grows with them. A link is replaced.
    pub fn push_exact(&mut self, text: &str) -> bool {
        if let Some(bits) = text.strip_prefix("NAN:0x") {
            let bits = u64::from_str_radix(bits, 16).ok();
            return match self {
                Value::Float(a) => {
                    let number = bits.and_then(|bits| u32::try_from(bits).ok()).map(f32::from_bits);
                    number.filter(|x| x.is_nan()).map(|x| a.push(x)).is_some()
                }
                Value::Double(a) => {
                    bits.map(f64::from_bits).filter(|x| x.is_nan()).map(|x| a.push(x)).is_some()
                }
                Value::String(_) | Value::Link(_) => self.push_bytes(text),
                _ => false,
            };
        }
        let tid = match self.tid() {
            Tid::Char | Tid::String | Tid::Link => return self.push_bytes(text),
            tid => tid,
        };
        let Some(element) = Value::parse(tid, text) else { return false };
        self.put(self.len(), &element, 0)
    }

    fn push_bytes(&mut self, text: &str) -> bool {
        let bytes = spelling::to_bytes(text);
        if matches!(self, Value::Char(_)) && bytes.len() > 1 {
            return false;
        }
        self.push_text(&bytes);
        true
    }
}

fn nan<T: std::fmt::LowerHex + PartialEq>(bits: T, usual: T) -> String {
    if bits == usual { "NAN".to_owned() } else { format!("NAN:{bits:#x}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Strings;

    fn comes_back(value: &Value) {
        let mut read = Value::empty(value.tid()).expect("a type of keys");
        if let (Value::String(read), Value::String(value)) = (&mut read, value) {
            read.size = value.size;
        }
        for index in 0..value.len() {
            let text = value.exact(index);
            assert!(read.push_exact(&text), "{value:?}: {text}");
        }
        assert!(read.same(value), "{read:?}, not {value:?}");
    }

    #[test]
    fn every_value_comes_back_bit_by_bit() {
        // Neighbours of powers of ten and two, the smallest, the largest, and some of each exponent.
        let mut floats: Vec<u32> = (0..=u32::MAX).step_by(9_999_991).collect();
        let mut doubles: Vec<u64> = (0..=u64::MAX).step_by(9_999_999_999_999_937).collect();
        for power in -45..39 {
            let bits = 10f32.powi(power).to_bits();
            floats.extend([bits.wrapping_sub(1), bits, bits + 1]);
        }
        for power in -323..309 {
            let bits = 10f64.powi(power).to_bits();
            doubles.extend([bits.wrapping_sub(1), bits, bits + 1]);
        }
        floats.extend([
            0,
            1,
            1 << 31,
            0x7f7f_ffff,
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0000,
            0xffc0_0001,
            0x7f80_0001,
        ]);
        doubles.extend([0, 1, 1 << 63, 0x7ff0 << 48, 0xfff0 << 48, 0x7ff8 << 48, (0x7ff0 << 48) + 5]);
        comes_back(&Value::Float(floats.into_iter().map(f32::from_bits).collect()));
        comes_back(&Value::Double(doubles.into_iter().map(f64::from_bits).collect()));
        let bytes: Vec<u8> = (0..=255).collect();
        comes_back(&Value::Byte(bytes.clone()));
        comes_back(&Value::Char(bytes.clone()));
        comes_back(&Value::Bitfield(bytes.clone()));
        comes_back(&Value::Sbyte((-128..=127).collect()));
        comes_back(&Value::Word(vec![0, u16::MAX]));
        comes_back(&Value::Short(vec![i16::MIN, i16::MAX]));
        comes_back(&Value::Dword(vec![0, u32::MAX]));
        comes_back(&Value::Int(vec![i32::MIN, i32::MAX]));
        comes_back(&Value::Int64(vec![i64::MIN, i64::MAX]));
        comes_back(&Value::Uint64(vec![0, u64::MAX]));
        comes_back(&Value::Bool(vec![true, false]));
        comes_back(&Value::Link(b"/a/\xb5[3]".to_vec()));
        let spelled = "\u{f7b5} NAN:0x7fc00001 \n".as_bytes().to_vec();
        let values = vec![Vec::new(), bytes, spelled, b" 5 ".to_vec(), b"NAN:0x1".to_vec()];
        comes_back(&Value::String(Strings { size: 300, values }));
        comes_back(&Value::Int(Vec::new()));
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for (mut value, text) in [
            (Value::Int(Vec::new()), "5 apples"),
            (Value::Int(Vec::new()), "NAN:0x7fc00000"),
            (Value::Word(Vec::new()), "65536"),
            (Value::Float(Vec::new()), "NAN:0x7fc00000ff"),
            (Value::Float(Vec::new()), "NAN:0x1"),
            (Value::Double(Vec::new()), ""),
            (Value::Char(Vec::new()), "ab"),
            (Value::Bool(Vec::new()), "perhaps"),
        ] {
            assert!(!value.push_exact(text), "{text} as {}", value.tid());
            assert!(value.is_empty());
        }
    }
}
