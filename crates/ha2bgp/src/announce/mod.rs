//! Announcers: tasks that make the desired routes so at the routers, and report back.
