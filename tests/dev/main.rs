//! `doorward dev` as someone uses it: started in an empty folder, its strings pasted into pymongo, stopped with Ctrl-C.

#[cfg(test)]
mod gateway;
