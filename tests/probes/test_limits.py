"""Containers and jobs: both versions of control groups, nesting, the absence of a limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes import limits
from probes.limits import Membership, Mount, group_folders, parse_cpu_max, parse_limit, parse_mounts, parse_proc_cgroup
from recommender.domain.fingerprint import HostMemory, Observation

from .trees import CPU, joined_files, recorded_output, recorded_tree, tree

GIB = 1 << 30
GROUPS = "sys/fs/cgroup"


def observe(root: Path, files: dict[str, str]) -> Observation:
    raw = limits.read(tree(root, files))
    return limits.parse(raw) if raw else Observation()


def test_a_recorded_version_2_group(tmp_path: Path) -> None:
    files = {
        f"{GROUPS}/{key}": text
        for key, text in joined_files(recorded_output("containers/cgroup-v2_96cpu-48quota-96gib.txt")).items()
    }
    seen = observe(tmp_path, {"proc/self/cgroup": "0::/\n", **files})
    assert seen.host == {"cpu_quota": 48.0, "cpuset_cpus": 96, "cgroup_version": 2, "container": "none"}
    assert seen.memory == HostMemory(limit=103079215104, limit_used=13071106048)


def test_a_recorded_version_1_group_without_limits(tmp_path: Path) -> None:
    files = {f"{GROUPS}/{key}": text for key, text in joined_files(recorded_output("containers/cgroup-v1_unlimited.txt")).items()}
    seen = observe(tmp_path, {"proc/self/cgroup": "4:memory:/\n3:cpu,cpuacct:/\n", **files})
    assert seen.memory is None and "cpu_quota" not in seen.host and seen.host["cgroup_version"] == 1


def test_a_recorded_job_step(tmp_path: Path) -> None:
    files = joined_files(recorded_output("containers/slurm-step_cgroup-v2.txt"))
    seen = observe(tmp_path, {**files, f"{CPU}/online": "0-31"})
    assert seen.host == {"cpuset_cpus": 6, "cgroup_version": 2, "container": "slurm"}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("containers/kubernetes_cgroup-v1.proc-self-cgroup.txt", "/kubepods/burstable/pod"),
        ("containers/containerd-systemd_cgroup-v1.proc-self-cgroup.txt", "/kubepods-besteffort-pod"),
    ],
)
def test_recorded_pods(tmp_path: Path, name: str, path: str) -> None:
    text = recorded_output(name)
    assert parse_proc_cgroup(text)[0].path.startswith(path)
    assert len(parse_proc_cgroup(text)) == len(text.splitlines())
    assert observe(tmp_path, {"proc/self/cgroup": text}).host == {"cgroup_version": 1, "container": "kubernetes"}


def test_recorded_wsl2(tmp_path: Path) -> None:
    files = {"proc/version": recorded_output("containers/wsl2_5.15.133.proc-version.txt")}
    assert observe(tmp_path, files).host == {"container": "wsl2"}


def test_recorded_laptop_has_no_limit(tmp_path: Path) -> None:
    raw = limits.read(recorded_tree(tmp_path, "hybrid-i7-1370P.tar.bz2"))
    assert raw and limits.parse(raw) == Observation(host={"cgroup_version": 2, "container": "none"})


def nested(**own: str) -> dict[str, str]:
    """A pod of two levels below the root, and what the files of its group say."""
    base = f"{GROUPS}/kubepods/pod1"
    return {
        "proc/self/cgroup": "0::/kubepods/pod1/box\n",
        f"{base}/cpu.max": "200000 100000\n",
        f"{base}/memory.max": f"{4 * GIB}\n",
        f"{base}/memory.current": f"{2 * GIB}\n",
        f"{base}/memory.stat": f"anon 5\ninactive_file {GIB}\nactive_file 7\n",
        **{f"{base}/box/{key.replace('__', '.')}": text for key, text in own.items()},
    }


@pytest.mark.parametrize(
    ("own", "quota", "limit", "used"),
    [
        (dict(cpu__max="max 100000", memory__max="max", memory__current="5"), 2.0, 4 * GIB, GIB),
        (dict(cpu__max="50000 100000", memory__max=f"{GIB}", memory__current="4096"), 0.5, GIB, 4096),
        (dict(cpu__max="800000 100000", memory__max=f"{8 * GIB}"), 2.0, 4 * GIB, GIB),
        ({}, 2.0, 4 * GIB, GIB),
        (dict(cpu__max="", memory__max="lots"), 2.0, 4 * GIB, GIB),
    ],
    ids=["only the outer", "the inner is tighter", "the outer is tighter", "inner folder missing", "inner broken"],
)
def test_the_tightest_limit_on_the_way_wins(tmp_path: Path, own: dict[str, str], quota: float, limit: int, used: int) -> None:
    seen = observe(tmp_path, nested(**own))
    assert seen.host["cpu_quota"] == quota and seen.host["container"] == "kubernetes"
    assert seen.memory == HostMemory(limit=limit, limit_used=used)


def test_version_1_by_its_mounts(tmp_path: Path) -> None:
    mounts = (
        "30 25 0:26 /docker/1f /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
        "31 25 0:27 /docker/1f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
        "32 25 0:28 /docker/1f /sys/fs/cgroup/cpuset ro - cgroup cgroup rw,cpuset\n"
    )
    files = {
        "proc/self/mountinfo": mounts,
        "proc/self/cgroup": "4:cpuset:/docker/1f\n3:memory:/docker/1f\n2:cpu,cpuacct:/docker/1f\n",
        f"{GROUPS}/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
        f"{GROUPS}/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        f"{GROUPS}/memory/memory.limit_in_bytes": f"{2 * GIB}\n",
        f"{GROUPS}/memory/memory.usage_in_bytes": f"{GIB}\n",
        f"{GROUPS}/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB // 2}\n",
        f"{GROUPS}/cpuset/cpuset.cpus": "0-3,8\n",
        f"{CPU}/online": "0-15\n",
        "proc/self/status": "Name:\tx\nCpus_allowed_list:\t0-2,9\n",
    }
    seen = observe(tmp_path, files)
    assert seen.host == {"cpu_quota": 1.5, "cpuset_cpus": 3, "cgroup_version": 1, "container": "docker"}
    assert seen.memory == HostMemory(limit=2 * GIB, limit_used=GIB // 2)


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({f"{CPU}/online": "0-7", "proc/self/status": "Cpus_allowed_list:\t2-3\n"}, 2),
        ({f"{CPU}/online": "0-7", "proc/self/status": "Cpus_allowed_list:\t0-127\n"}, 8),
        ({"proc/self/status": "Cpus_allowed_list:\t0-127\n"}, None),
        (
            {
                "proc/self/cgroup": "0::/a\n",
                f"{GROUPS}/a/cpuset.cpus.effective": "1,5\n",
                f"{GROUPS}/cpuset.cpus.effective": "0-7",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": "0::/a\n",
                f"{GROUPS}/cpuset.cpus.effective": "0-7\n",
                "proc/self/status": "Cpus_allowed_list:\t7\n",
            },
            1,
        ),
        ({f"{CPU}/online": "0-7"}, None),
    ],
)
def test_usable_cpus(tmp_path: Path, files: dict[str, str], count: int | None) -> None:
    assert observe(tmp_path, files).host.get("cpuset_cpus") == count


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({".dockerenv": "", "proc/self/cgroup": "0::/\n"}, "docker"),
        ({".dockerenv": "", "proc/version": "Linux version 5.15.1-microsoft-standard-WSL2"}, "docker"),
        ({"run/.containerenv": "engine=podman", "proc/self/cgroup": "0::/\n"}, "podman"),
        ({"proc/self/cgroup": "0::/user.slice/user-1000.slice/libpod-9f.scope/container\n"}, "podman"),
        ({".dockerenv": "", "var/run/secrets/kubernetes.io/serviceaccount/namespace": "x"}, "kubernetes"),
        ({"proc/self/cgroup": "0::/system.slice/docker-0123456789abcdef.scope\n"}, "docker"),
        ({"proc/self/cgroup": "0::/system.slice/docker.service\n"}, "none"),
        ({"proc/self/cgroup": "5:memory:/lxc/web\n"}, "lxc"),
        ({"proc/self/cgroup": "0::/\n", "run/systemd/container": "lxc\n"}, "lxc"),
        ({"proc/self/cgroup": "0::/\n", "proc/1/environ": "TOKEN=secret\0container=lxc\0"}, "lxc"),
        ({"proc/self/cgroup": "0::/slurm/uid_1/job_2/step_0\n"}, "slurm"),
        ({"proc/self/cgroup": "0::/\n", "proc/mounts": "overlay / overlay rw,lowerdir=/x 0 0\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "proc/mounts": "/dev/sda1 / ext4 rw 0 0\n"}, "none"),
        ({"proc/version": "Linux version 6.1.0"}, None),
    ],
)
def test_kind_of_container(tmp_path: Path, files: dict[str, str], kind: str | None) -> None:
    assert observe(tmp_path, files).host.get("container") == kind


def test_nothing_else_of_the_first_process_is_kept(tmp_path: Path) -> None:
    raw = limits.read(tree(tmp_path, {"proc/1/environ": "TOKEN=secret\0container=lxc\0HOME=/root\0"}))
    assert raw and raw["manager"] == "lxc" and "secret" not in str(raw)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("4800000 100000", 48.0),
        ("max 100000", None),
        ("max", None),
        ("-1 100000", None),
        ("50000 0", None),
        ("0 100000", None),
        ("", None),
    ],
)
def test_quota(text: str, cpus: float | None) -> None:
    assert parse_cpu_max(text) == cpus


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1073741824\n", GIB),
        ("max", None),
        ("-1", None),
        ("9223372036854771712", None),
        ("223372036854771712", None),
        ("0", None),
        ("x", None),
    ],
)
def test_limit(text: str, size: int | None) -> None:
    assert parse_limit(text) == size


def test_lines_of_groups() -> None:
    assert parse_proc_cgroup("12:cpu,cpuacct:/a:b\n0::/c\nbroken\n:\n") == (
        Membership(controllers=("cpu", "cpuacct"), path="/a:b"),
        Membership(controllers=(), path="/c"),
    )


def test_mount_tables() -> None:
    assert parse_mounts(
        "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\nnone /cg/mem cgroup rw,memory 0 0\nproc /proc proc rw 0 0\nshort\n"
    ) == (
        Mount(version=2, point="/sys/fs/cgroup"),
        Mount(version=1, point="/cg/mem", controllers=("rw", "memory")),
    )


@pytest.mark.parametrize(
    ("root", "path", "folders"),
    [
        ("/", "/a/b", ("/m/a/b", "/m/a", "/m")),
        ("/docker/1f", "/docker/1f", ("/m",)),
        ("/docker/1f", "/docker/1f/x", ("/m/x", "/m")),
        ("/", "/../../x", ("/m/x", "/m")),
        ("/", "/", ("/m",)),
    ],
)
def test_folders_on_the_way(root: str, path: str, folders: tuple[str, ...]) -> None:
    assert group_folders(Mount(version=2, point="/m", root=root), path) == folders
