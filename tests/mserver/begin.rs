//! The ODB of the experiment as it stands before anybody has logged in.

use pactolus::odb::{Dump, Tree};

use super::Options;

const ODB: &str = r#"[/Experiment]
Name = STRING : [32] lab

[/Experiment/Security]
Enable non-localhost RPC = BOOL : n
Disable RPC hosts check = BOOL : n

[/Experiment/Security/RPC hosts]
Allowed hosts = STRING[2] :
[256] localhost
[256] 

[/Experiment/Buffer sizes]
SYSMSG = DWORD : 100000
SYSTEM = DWORD : 33554432

[/Experiment]
MAX_EVENT_SIZE = DWORD : 4194304
Transition debug flag = INT : 0
Transition connect timeout = INT : 10000
Transition timeout = INT : 120000

[/System/Clients/17001]
Name = STRING : [32] Sample Frontend
Host = STRING : [256] localhost
Hardware type = INT : 44
Server Port = INT : 0
Transition START = INT : 500
Transition STOP = INT : 500

[/System]
Client Notify = INT : 0

[/Programs/Sample Frontend]
Required = BOOL : n
Watchdog timeout = INT : 60000
Check interval = DWORD : 180000
Start command = STRING : [256] 
Auto start = BOOL : n
Auto stop = BOOL : n
Auto restart = BOOL : n
Alarm class = STRING : [32] 
First failed = DWORD : 0

[/Logger]
Data dir = STRING : [256] /data/online
Message file = STRING : [256] midas.log
Write data = BOOL : y

[/Runinfo]
State = INT : 1
Online Mode = INT : 1
Run number = INT : 1
Transition in progress = INT : 0
Start abort = INT : 0
Requested transition = INT : 0
Start Time = STRING : [32] Sat Nov 21 01:42:36 2026
Start Time binary = DWORD : 1795225356
Stop Time = STRING : [32] Sat Nov 21 01:42:39 2026
Stop Time binary = DWORD : 1795225359

[/Equipment/Trigger/Common]
Event ID = WORD : 1
Trigger mask = WORD : 0
Buffer = STRING : [32] SYSTEM
Type = INT : 2
Format = STRING : [8] MIDAS
Enabled = BOOL : y
Read on = INT : 257
Period = INT : 500
Event limit = DOUBLE : 0
Log history = INT : 0
Frontend host = STRING : [32] localhost
Frontend name = STRING : [32] Sample Frontend

[/Equipment/Trigger/Variables]
ADC0 = WORD[4] :
[0] 0
[1] 0
[2] 0
[3] 0

[/Equipment/Trigger/Statistics]
Events sent = DOUBLE : 0
Events per sec. = DOUBLE : 0
kBytes per sec. = DOUBLE : 0

[/Equipment/Scaler/Common]
Event ID = WORD : 2
Trigger mask = WORD : 0
Buffer = STRING : [32] SYSTEM
Type = INT : 17
Format = STRING : [8] MIDAS
Enabled = BOOL : y
Period = INT : 10000
Frontend host = STRING : [32] localhost
Frontend name = STRING : [32] Sample Frontend

[/Equipment/Scaler/Variables]
SCLR = DWORD[4] :
[0] 0
[1] 0
[2] 0
[3] 0

[/Equipment/Scaler/Statistics]
Events sent = DOUBLE : 0
Events per sec. = DOUBLE : 0
kBytes per sec. = DOUBLE : 0
"#;

pub fn tree(options: &Options) -> Tree {
    let dump = Dump::parse(ODB.as_bytes()).expect("the ODB of the test server");
    let mut tree = Tree::new();
    // A few hours before anybody looks.
    tree.set_now(super::now() - 10_000);
    let exact = pactolus::odb::Load { exact: true, ..Default::default() };
    let mut load = |dump: &Dump| {
        let loaded = tree.load(dump, &exact);
        assert!(loaded.failed.is_empty(), "{:?}", loaded.failed);
    };
    load(&dump);
    if let Some(more) = &options.odb {
        load(&Dump::parse(more.as_bytes()).expect("the ODB that the test gave"));
    }
    let name = options.experiments.first().map_or("lab", String::as_str);
    tree.set("/Experiment/Name", name).expect("a name");
    tree.set("/Experiment/MAX_EVENT_SIZE", options.max_event).expect("a size");
    tree.set("/Experiment/Buffer sizes/SYSTEM", options.buffer as u32).expect("a size");
    if let Some(password) = &options.password {
        let hash = super::password::hash(password);
        tree.create("/Experiment/Security/Password", hash.as_str()).expect("a password");
    }
    tree
}
