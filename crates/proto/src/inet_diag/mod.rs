//! inet_diag netlink messages (linux/inet_diag.h): requests and replies as bytes.
