//! Random events are in their tables bit for bit, in both kinds of file and wherever batches end.

use proptest::prelude::*;

use super::*;

/// A type for each bank; the name tells it.
const BANKS: [(&str, Tid); 12] = [
    ("BYT0", Tid::Byte),
    ("SBY0", Tid::Sbyte),
    ("WRD0", Tid::Word),
    ("SHT0", Tid::Short),
    ("DWD0", Tid::Dword),
    ("INT0", Tid::Int),
    ("I640", Tid::Int64),
    ("U640", Tid::Uint64),
    ("FLT0", Tid::Float),
    ("DBL0", Tid::Double),
    ("BOL0", Tid::Bool),
    ("BIT0", Tid::Bitfield),
];

/// For each event, the bytes of each bank that it has, little-endian, and its byte order.
type Wanted = Vec<(Vec<Option<Vec<u8>>>, bool)>;

fn events() -> impl Strategy<Value = Wanted> {
    let banks: Vec<_> = BANKS
        .iter()
        .map(|(_, tid)| {
            let unit = tid.unit();
            let data = proptest::collection::vec(any::<u8>(), 0..40);
            proptest::option::of(data.prop_map(move |mut data| {
                data.truncate(data.len() / unit * unit);
                data
            }))
        })
        .collect();
    proptest::collection::vec((banks, any::<bool>()), 1..12)
}

fn event((banks, big): &(Vec<Option<Vec<u8>>>, bool)) -> Event {
    let present = BANKS.iter().zip(banks).filter_map(|(bank, data)| Some((bank, data.as_ref()?)));
    present.fold(Event::new(), |event, ((name, tid), data)| {
        let mut data = data.clone();
        if *big {
            data.chunks_exact_mut(tid.unit()).for_each(<[u8]>::reverse);
        }
        let order = if *big { Order::Big } else { Order::Little };
        event.raw(name, tid.code(), &data, order)
    })
}

/// The lists of a column as little-endian bytes.
fn lists_of(array: &ArrayRef, tid: Tid) -> Vec<Option<Vec<u8>>> {
    fn primitive<T: ArrowPrimitiveType>(list: &dyn Array, bytes: impl Fn(T::Native) -> Vec<u8>) -> Vec<u8> {
        list.as_primitive::<T>().values().iter().flat_map(|v| bytes(*v)).collect()
    }
    let lists = array.as_list::<i32>();
    let bytes = |list: ArrayRef| match tid {
        Tid::Byte | Tid::Bitfield => primitive::<UInt8Type>(&list, |v| vec![v]),
        Tid::Sbyte => primitive::<Int8Type>(&list, |v| v.to_le_bytes().to_vec()),
        Tid::Word => primitive::<UInt16Type>(&list, |v| v.to_le_bytes().to_vec()),
        Tid::Short => primitive::<Int16Type>(&list, |v| v.to_le_bytes().to_vec()),
        Tid::Dword => primitive::<UInt32Type>(&list, |v| v.to_le_bytes().to_vec()),
        Tid::Int => primitive::<Int32Type>(&list, |v| v.to_le_bytes().to_vec()),
        Tid::Int64 => primitive::<Int64Type>(&list, |v| v.to_le_bytes().to_vec()),
        Tid::Uint64 => primitive::<UInt64Type>(&list, |v| v.to_le_bytes().to_vec()),
        Tid::Float => primitive::<Float32Type>(&list, |v| v.to_bits().to_le_bytes().to_vec()),
        Tid::Double => primitive::<Float64Type>(&list, |v| v.to_bits().to_le_bytes().to_vec()),
        Tid::Bool => {
            let values = list.as_boolean().iter();
            values.flat_map(|v| u32::from(v.unwrap_or_default()).to_le_bytes()).collect()
        }
        other => panic!("no list of {other}"),
    };
    (0..lists.len()).map(|i| lists.is_valid(i).then(|| bytes(lists.value(i)))).collect()
}

/// A BOOL is true if it is not zero.
fn as_kept(tid: Tid, data: &[u8]) -> Vec<u8> {
    if tid != Tid::Bool {
        return data.to_vec();
    }
    data.chunks_exact(4).flat_map(|b| u32::from(b != [0; 4]).to_le_bytes()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_value_is_in_its_place(wanted in events()) {
        let events: Vec<Event> = wanted.iter().map(event).collect();
        let (table, refused) = check(&def(Vec::new()), &events);
        prop_assert!(refused.is_empty());
        for (i, (name, tid)) in BANKS.iter().enumerate() {
            let rows: Vec<Option<Vec<u8>>> =
                wanted.iter().map(|(banks, _)| banks[i].as_ref().map(|data| as_kept(*tid, data))).collect();
            match table.column_by_name(name) {
                Some(column) => prop_assert_eq!(lists_of(column, *tid), rows, "{}", name),
                None => prop_assert!(rows.iter().all(Option::is_none), "{}", name),
            }
        }
    }
}
