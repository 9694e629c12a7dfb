//! What a process is started with, and what is done between fork(2) and execve(2).
//!
//! Whatever ha2bgp has, or was itself started with, stays with it: descriptors, environment,
//! capabilities, signals that are blocked or ignored, a raised limit of descriptors, a terminal.

use std::ffi::CString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{
    Resource, Rlimit, Signal, chdir, getpid, getppid, getrlimit, set_parent_process_death_signal,
    setrlimit, setsid,
};
use rustix::thread::{
    Gid, Uid, clear_ambient_capability_set, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

/// How many descriptors a process may have that was not told otherwise: what the kernel gives too,
/// and what programs that use select(2) can take.
const FILES: u64 = 1024;

/// Who a process is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups, and no others.
    pub groups: Vec<u32>,
}

/// Limits of a process (getrlimit(2)); `None` leaves what ha2bgp has. None is ever raised above
/// the hard limit of ha2bgp.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Address space in octets (`RLIMIT_AS`).
    pub memory: Option<u64>,
    /// Processes and threads of its user (`RLIMIT_NPROC`).
    pub processes: Option<u64>,
    /// Descriptors (`RLIMIT_NOFILE`). Without it: 1024, which it may raise itself.
    pub files: Option<u64>,
    /// Seconds of CPU time (`RLIMIT_CPU`): SIGXCPU then, SIGKILL one second later.
    pub cpu: Option<u64>,
}

/// What is started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// The program, an absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// All of its environment.
    pub environment: Vec<(String, String)>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Who it is; `None`: who we are.
    pub identity: Option<Identity>,
    /// What it may use.
    pub limits: Limits,
}

/// What is done to start a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Pipes, fork(2).
    Fork,
    /// setsid(2) and signals.
    Session,
    /// setrlimit(2).
    Limits,
    /// setgroups(2), setresgid(2), setresuid(2).
    Identity,
    /// `PR_SET_NO_NEW_PRIVS`, ambient capabilities, `PR_SET_PDEATHSIG` (prctl(2)).
    Privileges,
    /// chdir(2).
    Directory,
    /// execve(2).
    Execute,
    /// Its pidfd and pipes at our end.
    Watch,
}

impl Step {
    /// What it is good for, after "cannot".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fork => "start a process",
            Self::Session => "make a session",
            Self::Limits => "set its limits",
            Self::Identity => "become its user",
            Self::Privileges => "give up privileges",
            Self::Directory => "enter its directory",
            Self::Execute => "execute it",
            Self::Watch => "watch it",
        }
    }
}

/// Why no process was started.
#[derive(Debug, thiserror::Error)]
#[error("cannot {}: {source}", .step.name())]
pub struct SpawnError {
    /// What went wrong.
    pub step: Step,
    /// Why.
    pub source: io::Error,
}

/// The steps in the child, which executes the program too: what the standard library calls for
/// that would give a file that is no program to a shell (`execvp`, exec(3)).
///
/// The standard library hands one number from the child to us: the error, and above it which of
/// these it was.
const IN_CHILD: [Step; 6] =
    [Step::Session, Step::Limits, Step::Identity, Step::Privileges, Step::Directory, Step::Execute];

/// Errors are below this (`MAX_ERRNO`, include/linux/err.h).
const STEP_UNIT: i32 = 4096;

impl SpawnError {
    /// What `Command::spawn` says.
    pub(super) fn of_child(error: io::Error) -> Self {
        let Some(number) = error.raw_os_error() else {
            return Self { step: Step::Fork, source: error };
        };
        let place = usize::try_from(number / STEP_UNIT).unwrap_or(0);
        match place.checked_sub(1).and_then(|place| IN_CHILD.get(place)) {
            Some(step) => {
                Self { step: *step, source: io::Error::from_raw_os_error(number % STEP_UNIT) }
            }
            // Those of fork(2) and pipe(2).
            None => Self { step: Step::Fork, source: error },
        }
    }
}

/// The command of a plan, without its standard streams.
#[allow(unsafe_code, reason = "what is done between fork and exec is the caller's promise")]
pub(super) fn command(plan: &Plan) -> Command {
    let mut command = Command::new(&plan.program);
    let confinement = Confinement::of(plan);
    // SAFETY: the closure runs in a fork of a process with several threads, where only calls that
    // are safe in signal handlers are allowed (fork(2), signal-safety(7)). It makes system calls
    // through rustix and libc, on values that were made before, and neither allocates, nor takes a
    // lock, nor panics: `confine` is written so.
    unsafe {
        command.pre_exec(move || Err(numbered(confinement.confine())));
    }
    command
}

/// An error and its step as one number.
fn numbered((step, errno): (Step, Errno)) -> io::Error {
    let place = IN_CHILD.iter().position(|one| *one == step).unwrap_or(0);
    let place = i32::try_from(place + 1).unwrap_or(0);
    io::Error::from_raw_os_error(place * STEP_UNIT + errno.raw_os_error())
}

/// All that the child needs, made before the fork.
#[derive(Debug)]
struct Confinement {
    parent: rustix::process::Pid,
    /// `None` when there is a NUL in it, or in one of the next.
    directory: Option<CString>,
    arguments: Option<Words>,
    environment: Option<Words>,
    identity: Option<(Uid, Gid, Vec<Gid>)>,
    limits: [(Resource, Rlimit); 5],
}

impl Confinement {
    fn of(plan: &Plan) -> Self {
        let Identity { uid, gid, groups } =
            plan.identity.clone().unwrap_or(Identity { uid: 0, gid: 0, groups: Vec::new() });
        let ids = || {
            let groups = groups.into_iter().map(Gid::from_raw).collect();
            (Uid::from_raw(uid), Gid::from_raw(gid), groups)
        };
        let Limits { memory, processes, files, cpu } = plan.limits;
        let both = |resource, most: Option<u64>| (resource, lowered(resource, most, most));
        let path = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes()).ok();
        let arguments = plan.arguments.iter().map(|word| CString::new(word.as_str()).ok());
        let variables = plan.environment.iter();
        let variables = variables.map(|(name, value)| CString::new(format!("{name}={value}")).ok());
        Self {
            parent: getpid(),
            directory: path(&plan.directory),
            arguments: Words::of(std::iter::once(path(&plan.program)).chain(arguments)),
            environment: Words::of(variables),
            identity: plan.identity.is_some().then(ids),
            limits: [
                both(Resource::As, memory),
                both(Resource::Nproc, processes),
                (Resource::Nofile, lowered(Resource::Nofile, files.or(Some(FILES)), files)),
                (Resource::Cpu, lowered(Resource::Cpu, cpu, cpu.map(|cpu| cpu.saturating_add(1)))),
                // What a plugin had in its memory is nobody's business.
                both(Resource::Core, Some(0)),
            ],
        }
    }

    /// Runs in the child: no memory may be allocated, no lock taken. Returns why it is not the
    /// program now.
    fn confine(&self) -> (Step, Errno) {
        if let Err(error) = self.prepare() {
            return error;
        }
        match (&self.arguments, &self.environment) {
            (Some(arguments), Some(environment)) => {
                (Step::Execute, execute(arguments, environment))
            }
            _ => (Step::Execute, Errno::INVAL),
        }
    }

    fn prepare(&self) -> Result<(), (Step, Errno)> {
        let at = |step: Step| move |errno: Errno| (step, errno);
        setsid().map_err(at(Step::Session))?;
        default_signals();
        close_others();
        for (resource, limit) in self.limits {
            setrlimit(resource, limit).map_err(at(Step::Limits))?;
        }
        // Not on kernels before 4.3, which have none.
        let _ = clear_ambient_capability_set();
        if let Some((uid, gid, groups)) = &self.identity {
            set_thread_groups(groups).map_err(at(Step::Identity))?;
            set_thread_res_gid(*gid, *gid, *gid).map_err(at(Step::Identity))?;
            set_thread_res_uid(*uid, *uid, *uid).map_err(at(Step::Identity))?;
        }
        set_no_new_privs(true).map_err(at(Step::Privileges))?;
        let directory = self.directory.as_deref().ok_or((Step::Directory, Errno::INVAL))?;
        chdir(directory).map_err(at(Step::Directory))?;
        // After the change of user, which takes it back. A parent that has died already sends
        // nothing any more.
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(at(Step::Privileges))?;
        if getppid() != Some(self.parent) {
            return Err((Step::Privileges, Errno::SRCH));
        }
        Ok(())
    }
}

/// Words as execve(2) takes them.
#[derive(Debug)]
struct Words {
    /// What `pointers` point to.
    words: Vec<CString>,
    /// Ends with a null pointer.
    pointers: Vec<*const libc::c_char>,
}

impl Words {
    fn of(words: impl Iterator<Item = Option<CString>>) -> Option<Self> {
        let words: Vec<CString> = words.collect::<Option<_>>()?;
        let pointers = words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
        Some(Self { words, pointers })
    }
}

#[allow(unsafe_code, reason = "raw pointers are neither Send nor Sync by themselves")]
// SAFETY: the pointers point to the heap memory of `words`, which moves with them and is never
// changed.
unsafe impl Send for Words {}
#[allow(unsafe_code, reason = "raw pointers are neither Send nor Sync by themselves")]
// SAFETY: as above; it is only read.
unsafe impl Sync for Words {}

/// Returns only when it fails.
#[allow(unsafe_code, reason = "rustix has no execve(2) outside of an experiment")]
fn execute(arguments: &Words, environment: &Words) -> Errno {
    let Some(program) = arguments.words.first() else { return Errno::INVAL };
    // SAFETY: the path ends with a NUL; both arrays end with a null pointer, and what they point to
    // are strings that end with a NUL and live as long as they do. It is safe in signal handlers.
    unsafe {
        libc::execve(program.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    }
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// A limit that is not above the hard one that we have.
fn lowered(resource: Resource, soft: Option<u64>, hard: Option<u64>) -> Rlimit {
    let now = getrlimit(resource);
    let least = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    };
    let maximum = least(hard, now.maximum);
    let current = if soft.is_some() { least(soft, maximum) } else { least(now.current, maximum) };
    Rlimit { current, maximum }
}

/// What is blocked or ignored here is neither there: ignoring outlives execve(2), and so does the
/// mask. libc keeps 32 and 33 for itself and lets nobody change them.
#[allow(unsafe_code, reason = "rustix leaves dispositions to libc")]
fn default_signals() {
    // SAFETY: signal(2) with SIG_DFL touches no memory of ours; for what is no signal, or can have
    // no other disposition, it is an error that does not matter. `sigset_t` is plain data that
    // sigemptyset(3) initialises before it is read. All are safe in signal handlers.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Ours are closed on execve(2) by themselves; those that ha2bgp was started with may not be. On
/// kernels before 5.11 they stay open.
#[allow(unsafe_code, reason = "rustix has no close_range(2)")]
fn close_others() {
    // SAFETY: with CLOSE_RANGE_CLOEXEC nothing is closed now, only marked (close_range(2)); no
    // memory is touched.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
}
