//! Those that start a program again: when it ends, or when they are told to.
//!
//! Each is made to restart it in the way that is its quickest: for most the program simply ends,
//! for supervisord and circus it is a command of theirs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::ground::{Ground, find};
use crate::peer::{Peer, Restart};
use crate::running::Running;

pub(crate) fn all() -> Vec<Box<dyn Peer>> {
    let manager = |name, needs, command, change| {
        Box::new(Manager {
            name,
            needs,
            command,
            change,
        })
    };
    let perl = &["start_server", "perl"];
    let python = &["supervisord", "supervisorctl"];
    vec![
        // Its own restart (HUP) starts the new program before the old one ends.
        manager("Server::Starter", perl, server_starter, end),
        manager("s6", &["s6-supervise"], s6, end),
        manager("runit", &["runsv"], runit, end),
        manager("supervisord", python, supervisord, supervisorctl),
        manager("circus", &["circusd", "circusctl"], circus, circusctl),
        manager("pm2", &["pm2-runtime", "node"], pm2, end),
        manager("watchexec", &["watchexec"], watchexec, touch),
    ]
}

/// One that starts a program again.
struct Manager {
    name: &'static str,
    needs: &'static [&'static str],
    command: fn(&Ground, &[String], &Path) -> Result<Command>,
    change: fn(&Ground, &Path, u32) -> Result<()>,
}

impl Peer for Manager {
    fn name(&self) -> &'static str {
        self.name
    }

    fn needs(&self) -> &'static [&'static str] {
        self.needs
    }

    fn command(&self, ground: &Ground, program: &[String], place: &Path) -> Result<Command> {
        (self.command)(ground, program, place)
    }

    fn restart(&self) -> Restart {
        Restart::Told
    }

    fn change(&self, ground: &Ground, running: &Running, program: u32) -> Result<()> {
        (self.change)(ground, running.place(), program)
    }
}

/// The program is told to end; who runs it finds that out.
fn end(_ground: &Ground, _place: &Path, program: u32) -> Result<()> {
    Ok(kill(Pid::from_raw(program.cast_signed()), Signal::SIGTERM)?)
}

fn server_starter(ground: &Ground, program: &[String], _place: &Path) -> Result<Command> {
    let mut command = ground.command("perl")?;
    command
        .arg(find("start_server").context("start_server")?)
        .arg("--")
        .args(program)
        .env("PERL5LIB", ground.debian("share/perl5"));
    Ok(command)
}

fn s6(ground: &Ground, program: &[String], place: &Path) -> Result<Command> {
    let mut command = ground.command("s6-supervise")?;
    let libraries = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
    command
        .arg(service(program, place)?)
        .env("LD_LIBRARY_PATH", ground.debian(&libraries));
    Ok(command)
}

fn runit(ground: &Ground, program: &[String], place: &Path) -> Result<Command> {
    let mut command = ground.command("runsv")?;
    command.arg(service(program, place)?);
    Ok(command)
}

/// A directory with a file `run`, which is no shell script where it need not be: the kernel reads
/// the program and its arguments off the first line.
fn service(program: &[String], place: &Path) -> Result<std::path::PathBuf> {
    let service = place.join("service");
    fs::create_dir(&service)?;
    let script = if program[0].ends_with("/child") {
        format!("#!{}\n", program.join(" "))
    } else {
        let words: Vec<_> = program.iter().map(|word| format!("'{word}'")).collect();
        format!("#!/bin/sh\nexec {}\n", words.join(" "))
    };
    fs::write(service.join("run"), script)?;
    fs::set_permissions(service.join("run"), fs::Permissions::from_mode(0o755))?;
    Ok(service)
}

fn supervisord(ground: &Ground, program: &[String], place: &Path) -> Result<Command> {
    let words: Vec<_> = program.iter().map(|word| format!("'{word}'")).collect();
    let words = words.join(" ");
    let settings = format!(
        "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={place}/pid\n\
         [unix_http_server]\nfile={place}/s\n[supervisorctl]\nserverurl=unix://{place}/s\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\
         [program:child]\ncommand={words}\nautorestart=true\nstartsecs=0\n\
         stdout_logfile=NONE\nstderr_logfile=NONE\n",
        place = place.display()
    );
    let file = place.join("supervisord.conf");
    fs::write(&file, settings)?;
    let mut command = ground.command("supervisord")?;
    command
        .arg("-n")
        .arg("-c")
        .arg(file)
        .env("PYTHONPATH", ground.debian("lib/python3/dist-packages"));
    Ok(command)
}

fn supervisorctl(ground: &Ground, place: &Path, _program: u32) -> Result<()> {
    let mut command = ground.command("supervisorctl")?;
    command
        .arg("-c")
        .arg(place.join("supervisord.conf"))
        .args(["restart", "child"])
        .env("PYTHONPATH", ground.debian("lib/python3/dist-packages"));
    order(command)
}

/// A peer's own command. It ends when it likes; the sweep takes it away.
fn order(mut command: Command) -> Result<()> {
    let null = Stdio::null;
    command
        .stdin(null())
        .stdout(null())
        .stderr(null())
        .spawn()?;
    Ok(())
}

fn circus(ground: &Ground, program: &[String], place: &Path) -> Result<Command> {
    let words: Vec<_> = program.iter().map(|word| format!("'{word}'")).collect();
    let settings = format!(
        "[circus]\ncheck_delay = 1\nendpoint = ipc://{place}/e\npubsub_endpoint = ipc://{place}/p\n\
         [watcher:child]\ncmd = {}\nnumprocesses = 1\ncopy_env = True\n",
        words.join(" "),
        place = place.display()
    );
    let file = place.join("circus.ini");
    fs::write(&file, settings)?;
    let mut command = ground.command("circusd")?;
    command.arg(file);
    Ok(command)
}

fn circusctl(ground: &Ground, place: &Path, _program: u32) -> Result<()> {
    let mut command = ground.command("circusctl")?;
    command
        .arg("--endpoint")
        .arg(format!("ipc://{}/e", place.display()))
        .args(["restart", "child"]);
    order(command)
}

fn pm2(ground: &Ground, program: &[String], place: &Path) -> Result<Command> {
    let settings = json!({ "apps": [{
        "name": "child",
        "script": program[0],
        "args": program[1..],
        "interpreter": "none",
        "exec_mode": "fork",
    }] });
    let file = place.join("ecosystem.json");
    fs::write(&file, settings.to_string())?;
    let mut command = ground.command("pm2-runtime")?;
    command
        .arg("start")
        .arg(file)
        .env("PM2_HOME", place.join("pm2"));
    Ok(command)
}

/// It watches a file.
fn watchexec(ground: &Ground, program: &[String], place: &Path) -> Result<Command> {
    let watched = place.join("watched");
    fs::write(&watched, "")?;
    let mut command = ground.command("watchexec")?;
    command
        .args(["--restart", "--shell=none", "--quiet", "--watch"])
        .arg(watched)
        .arg("--")
        .args(program);
    Ok(command)
}

fn touch(_ground: &Ground, place: &Path, _program: u32) -> Result<()> {
    Ok(fs::write(place.join("watched"), "changed")?)
}
