#![no_main]
pactolus_fuzz::target!(pactolus_fuzz::checks::mserver::mserver);
