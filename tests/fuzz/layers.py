"""Sources of layers: a map, a manner of calling it, and what goes wrong at some call.

Each table holds pieces of source by a name that is printed; any of them go together.
"""

from __future__ import annotations

from textwrap import dedent, indent
from typing import NamedTuple

HEAD = """
import builtins, collections, ctypes, dataclasses, gc, math, os, random, signal
import subprocess, sys, threading, time, warnings
import numpy as np
import torch
from torch import Tensor, nn

CALLS = 0
KEPT = []
Pair = collections.namedtuple("Pair", "z ldj")


@dataclasses.dataclass
class Output:
    z: object
    log_det: object


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")
    __repr__ = __str__


def act(self, x):
    global CALLS
    CALLS += 1
    if {when}:
{act}


def out(r):
    if {when} and {returns!r}:
        r = r if isinstance(r, tuple) else (r, r.flatten(1).sum(1) if r.dim() > 1 else r)
        y, ldj = r[0], r[-1]
        return {returned}
    return r


{decorated}class Layer({base}):
    def __init__(self{parameters}):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.3{made}))
        self.b = nn.Parameter(torch.tensor(-0.2{made}))
        self.count = 0
        torch.manual_seed(1)
        self.net = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 4)){cast}
        self.w = nn.Parameter(torch.eye(3) + 0.2 * torch.rand(3, 3)){cast_w}

    def step(self, x, back=False):
        act(self, x)
        return self.back(x) if back else self.there(x)

{map}
{convention}
{oddity}

def make():
    return Layer()


LAYERS = [Layer]
"""

MAPS = {
    "affine": """
        def there(self, x):
            return x * self.a.exp() + self.b, self.a * x[0].numel() * torch.ones(len(x))
        def back(self, y):
            ldj = -self.a * y[0].numel() * torch.ones(len(y))
            return (y - self.b) * (-self.a).exp(), ldj
    """,
    "dims forgotten": """
        def there(self, x):
            return x * self.a.exp() + self.b, self.a + torch.zeros(len(x))
        def back(self, y):
            return (y - self.b) * (-self.a).exp(), -self.a + torch.zeros(len(y))
    """,
    "curve": """
        def there(self, x):
            slope = 1 + self.a * (1 - torch.tanh(x) ** 2)
            return x + self.a * torch.tanh(x), torch.log(slope).flatten(1).sum(1)
        def back(self, y):
            raise NotImplementedError
    """,
    "sign flipped": """
        def there(self, x):
            return torch.sigmoid(x), (torch.nn.functional.softplus(-x)
                + torch.nn.functional.softplus(x)).flatten(1).sum(1)
        def back(self, y):
            return torch.logit(y), -(y.log() + (1 - y).log()).flatten(1).sum(1)
    """,
    "linear": """
        def there(self, x):
            return x @ self.w, torch.linalg.slogdet(self.w)[1].expand(len(x))
        def back(self, y):
            return y @ self.w.inverse(), -torch.slogdet(self.w)[1].repeat(len(y))
    """,
    "coupling": """
        def there(self, x):
            p, q = x.chunk(2, dim=1)
            s, t = self.net(p).chunk(2, dim=1)
            return torch.cat([p, q * s.exp() + t], 1), s.sum(1)
        def back(self, y):
            p, q = y.chunk(2, dim=1)
            s, t = self.net(p).chunk(2, dim=1)
            return torch.cat([p, (q - t) * (-s).exp()], 1), s.sum(1)
    """,
    "flip": """
        def there(self, x):
            return x.flip(-1), torch.zeros(len(x))
        back = there
    """,
    "identity": """
        def there(self, x):
            return x, torch.zeros(x.shape[0])
        back = there
    """,
    "constant": """
        def there(self, x):
            return torch.zeros_like(x), torch.zeros(len(x))
        back = there
    """,
    "absolute": """
        def there(self, x):
            return x.abs(), torch.zeros(len(x))
        def back(self, y):
            return -y, torch.zeros(len(y))
    """,
    "sorted": """
        def there(self, x):
            return x.sort(-1)[0], torch.zeros(len(x))
        back = there
    """,
    "noisy": """
        def there(self, x):
            return x + torch.randn_like(x), torch.zeros(len(x))
        def back(self, y):
            return y - np.random.randn(), torch.zeros(len(y)) + random.random()
    """,
    "more dims": """
        def there(self, x):
            return torch.cat([x, x * 2], 1), torch.zeros(len(x))
        def back(self, y):
            return y[:, : y.shape[1] // 2], torch.zeros(len(y))
    """,
    "fewer dims": """
        def there(self, x):
            return x[:, :1], x[:, 1:].flatten(1).sum(1)
        def back(self, y):
            return torch.cat([y, y], 1), y.flatten(1).sum(1)
    """,
    "logarithm": """
        def there(self, x):
            return x.log(), -x.log().flatten(1).sum(1)
        def back(self, y):
            return y.exp(), y.flatten(1).sum(1)
    """,
    "dequantized": """
        def there(self, x):
            u = torch.rand_like(x.float())
            y = (x + u) / 256
            return y, -math.log(256) * x[0].numel() * torch.ones(len(x))
        def back(self, y):
            return (y * 256).floor().long(), math.log(256) * y[0].numel() * torch.ones(len(y))
    """,
    "squeezed": """
        def there(self, x):
            n, c, h, w = x.shape
            y = x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4)
            return y.reshape(n, 4 * c, h // 2, w // 2), torch.zeros(n)
        def back(self, y):
            raise RuntimeError("no way back")
    """,
    "over samples": """
        def there(self, x):
            m, s = x.mean(0), x.std(0) + 0.1
            return (x - m) / s, -s.log().sum().expand(len(x))
        def back(self, y):
            return y, torch.zeros(len(y))
    """,
    "in place": """
        def there(self, x):
            x *= 2
            return x, math.log(2) * x[0].numel() * torch.ones(len(x))
        def back(self, y):
            y.div_(2)
            return y, -math.log(2) * y[0].numel() * torch.ones(len(y))
    """,
    "by numpy": """
        def there(self, x):
            y = torch.from_numpy(np.sinh(x.detach().numpy()))
            return y, torch.from_numpy(np.log(np.cosh(x.detach().numpy()))).flatten(1).sum(1)
        def back(self, y):
            return torch.arcsinh(y), -torch.log(1 + y ** 2).flatten(1).sum(1) / 2
    """,
    "huge": """
        def there(self, x):
            return x * 1e200, 200 * math.log(10) * x[0].numel() * torch.ones(len(x))
        def back(self, y):
            return y / 1e200, torch.full((len(y),), math.inf)
    """,
    "complex": """
        def there(self, x):
            z = torch.fft.fft(x.to(torch.complex128), norm="ortho")
            return z, torch.zeros(len(x))
        def back(self, y):
            return torch.fft.ifft(y, norm="ortho").real, torch.zeros(len(y))
    """,
}

CONVENTIONS = {
    "accumulator": """
        def forward(self, z, ldj, reverse=False):
            z, d = self.step(z, reverse)
            return out((z, ldj + d))
    """,
    "pair": """
        def forward(self, x):
            return out(self.step(x))
        def inverse(self, y):
            return out(self.step(y, True))
    """,
    "two methods": """
        def forward(self, x):
            return out(self.step(x)[0])
        def inverse(self, y):
            return out(self.step(y, True)[0])
        def log_abs_det_jacobian(self, x, y):
            return out(self.step(x)[1])
    """,
    "mode": """
        def forward(self, x, mode="direct"):
            return out(self.step(x, mode != "direct"))
    """,
    "rev": """
        def forward(self, x_or_z, c=None, rev=False, jac=True):
            y, d = self.step(x_or_z[0], rev)
            return out(((y,), d))
        def output_dims(self, input_dims):
            return input_dims
    """,
    "context": """
        def forward(self, x, context=None):
            return out(self.step(x if context is None else x + context.mean()))
        def inverse(self, y, context=None):
            return out(self.step(y if context is None else y - context.mean(), True))
    """,
    "needed context": """
        def forward(self, x, t):
            return out(self.step(x + t.reshape(len(x), -1).mean()))
    """,
    "dictionary": """
        def forward(self, x, **kwargs):
            y, d = out(self.step(x))
            return {"z": y, "log_det": d}
    """,
    "in one": """
        def forward(self, x):
            y, d = self.step(x)
            return out(torch.cat([y.flatten(1), d[:, None]], 1))
    """,
    "no ldj": """
        def forward(self, x):
            return out(self.step(x)[0])
    """,
    "stored": """
        def forward(self, x):
            y, self.log_det = self.step(x)
            return out(y)
    """,
    "density": """
        def log_prob(self, x):
            z, d = self.step(x)
            return out(d - 0.5 * (z ** 2 + math.log(2 * math.pi)).flatten(1).sum(1))
        def sample(self, n):
            return self.step(torch.randn(n, 3), True)[0]
    """,
    "sampler": """
        def forward(self, num_samples=4):
            z = torch.randn(num_samples, 3)
            y, d = self.step(z)
            return out((y, -0.5 * (z ** 2).sum(1) - d))
    """,
    "sequence": """
        def forward(self, x):
            total, states = torch.zeros(len(x)), [x]
            for _ in range(2):
                x, d = self.step(x)
                total = total + d
                states.append(x)
            return states, out(total)
    """,
    "split": """
        def forward(self, x, ldj=0.0):
            y, d = self.step(x)
            half = y.shape[1] // 2
            return out((y[:, :half], ldj + d, y[:, half:]))
    """,
    "star": """
        def forward(self, *args, **kwargs):
            return out(self.step(*args[:1], bool(kwargs)))
    """,
    "call": """
        def __call__(self, x):
            return out(self.step(x))
    """,
    "transform": """
        domain = codomain = torch.distributions.constraints.real
        bijective = True
        sign = 1
        def _call(self, x):
            return out(self.step(x)[0])
        def _inverse(self, y):
            return out(self.step(y, True)[0])
        def log_abs_det_jacobian(self, x, y):
            return out(self.step(x)[1])
    """,
    "none at all": "",
}

RETURNS = (
    "None", "y", "ldj", "()", "{}", "[]", "''", "0", "(y,)", "[y, ldj]", "(y, None)",
    "(None, ldj)", "(ldj, y)", "(y, ldj, None)", "(y, ldj, ldj)", "(y, ldj, {'a': ldj})",
    "(y, y, y, y, y)", "((y, ldj),)", "((y,), (ldj,))", "{'z': y}", "{'y': y, 'ldj': ldj}",
    "{1: y, 2: ldj}", "{'a': {'b': (y, ldj)}}", "Pair(y, ldj)", "Output(y, ldj)",
    "(y, 0)", "(y, 0.5)", "(y, '0')", "(y, ldj.sum())", "(y, ldj[:1])", "(y, ldj[:, None])",
    "(y, ldj[None])", "(y, torch.cat([ldj, ldj]))", "(y[:1], ldj)", "(y[:0], ldj[:0])",
    "(y[:, :0], ldj)", "(y, ldj[:0])", "(torch.cat([y, y]), ldj)",
    "(y.expand(2, *y.shape), ldj)",
    "(y.squeeze(), ldj)", "(y.flatten(), ldj)", "(y.sum(), ldj)", "(y.T, ldj)",
    "(y, y)", "(y, torch.zeros_like(y))", "(y * math.nan, ldj)", "(y, ldj * math.nan)",
    "(y, torch.where(torch.arange(len(ldj)) == 1, math.nan, ldj))", "(y, ldj + math.inf)",
    "(y / 0, ldj)", "(y, ldj - math.inf)", "(y, ldj + 1e308)", "(y * 1e308, ldj)",
    "(y * 1e-320, ldj)", "(y.half(), ldj.half())", "(y.bfloat16(), ldj)",
    "(y.float(), ldj.float())",
    "(y.long(), ldj)", "(y, ldj.long())", "(y, ldj.int())", "(y > 0, ldj)", "(y, ldj > 0)",
    "(y.to(torch.complex64), ldj)", "(y, ldj.to(torch.complex128) * 1j)", "(y.detach(), ldj)",
    "(y.detach().numpy(), ldj.detach().numpy())", "(y.tolist(), ldj.tolist())",
    "(y, ldj.detach().numpy())", "(y, [float(v) for v in ldj])", "(y, [ldj, ldj])",
    "(y.to_sparse(), ldj)", "(y.to('meta'), ldj)", "(y, ldj.to('meta'))", "iter((y, ldj))",
    "(v for v in (y, ldj))", "(y, lambda: ldj)", "sys", "torch.distributions.Normal(y, 1.0)",
    "(nn.Parameter(y.detach()), ldj)", "(y.view(-1, 1), ldj)", "(y.unsqueeze(0), ldj)",
    "KEPT.append(KEPT) or KEPT", "(y, np.float64(3.0))", "(y, True)", "(y, Ellipsis)",
    "(torch.nested.nested_tensor(list(y.detach())), ldj)", "(y, Exception('no'))",
    "(torch.quantize_per_tensor(y.detach().float(), 0.1, 0, torch.qint8), ldj)",
    "(y.storage(), ldj)", "(y, ldj + CALLS)", "(y + CALLS, ldj)", "(y, ldj * 1.001)",
    "(y, ldj.mean(0))", "(y, ldj, y * 0, ldj * 0)", "(torch.empty(0), torch.empty(0))",
    "(y, torch.tensor([]))", "(y.to(torch.float8_e4m3fn), ldj)", "(y.conj(), ldj.real)",
)  # fmt: skip


class Act(NamedTuple):
    """What happens at some call, and what of the process it leaves otherwise."""

    source: str
    touches: frozenset[str] = frozenset()
    ends: bool = False  # or may end, or hang, the process: for the command alone


def _act(source: str, *touches: str, ends: bool = False) -> Act:
    return Act(dedent(source).strip("\n"), frozenset(touches), ends)


ACTS = {
    "nothing": _act("pass"),
    "raises": _act("raise RuntimeError('not today')"),
    "raises of a key": _act("raise KeyError(x.shape)"),
    "asserts": _act("assert False"),
    "raises no words": _act("raise Mute"),
    "raises a group": _act(
        "raise ExceptionGroup('all', [ValueError(1), TypeError(2)])"
    ),
    "raises from": _act("raise ValueError('outer') from OSError('inner')"),
    "raises noise": _act(r"raise ValueError('\x1b[2J\ud800' + 'x' * 100_000)"),
    "raises bytes": _act("raise OSError(b'\\xff\\xfe', None)"),
    "raises GeneratorExit": _act("raise GeneratorExit"),
    "raises StopIteration": _act("raise StopIteration(x)"),
    "recurses": _act("act(self, x) if CALLS < 10**7 else None"),
    "recurses deep": _act("(lambda f: f(f))(lambda f: f(f))"),
    "interrupts": _act("raise KeyboardInterrupt"),
    "leaves": _act("sys.exit(0)"),
    "leaves with words": _act("sys.exit('bye')"),
    "out of memory": _act("raise MemoryError"),
    "vast": _act("torch.empty(10**15)"),
    "not implemented": _act("raise NotImplementedError"),
    "refuses a shape": _act(
        "raise RuntimeError(f'expected 7 channels, got {list(x.shape)}')"
    ),
    "hangs": _act("while True:\n    pass", ends=True),
    "sleeps": _act("time.sleep(600)", ends=True),
    "naps": _act("time.sleep(0.05)"),
    "waits for input": _act("input('? ')"),
    "dies": _act("os._exit(0)", ends=True),
    "dies badly": _act("os._exit(77)", ends=True),
    "aborts": _act("os.abort()", ends=True),
    "is killed": _act("os.kill(os.getpid(), signal.SIGKILL)", ends=True),
    "is terminated": _act("os.kill(os.getpid(), signal.SIGTERM)", ends=True),
    "gets Ctrl-C": _act("os.kill(os.getpid(), signal.SIGINT)"),
    "crashes": _act("ctypes.string_at(0)", ends=True),
    "closes all": _act("os.closerange(0, 64)", ends=True),
    "closes output": _act("sys.stdout.close(); sys.stderr.close()", ends=True),
    "prints": _act("print('{' * 5000); print('}' * 5000, file=sys.stderr)"),
    "writes to C": _act("os.write(1, b'\\xff{]' * 1000)", ends=True),
    "warns": _act("warnings.warn('hm'); warnings.warn(b'x' and UserWarning('twice'))"),
    "no output": _act("sys.stdout = sys.stderr = None", "streams"),
    "no logarithm": _act("torch.log = None", "torch", ends=True),
    "own sum": _act("Tensor.sum = lambda *a, **k: 1", "torch", ends=True),
    "own randn": _act("torch.randn = torch.zeros", "torch", ends=True),
    "no open": _act("builtins.open = None", "torch", ends=True),
    "own len": _act("builtins.len = lambda x: 3", "torch", ends=True),
    "own time": _act("time.perf_counter = time.time = lambda: 0.0", "time", ends=True),
    "own json": _act("import json; json.dumps = json.loads = None", "time", ends=True),
    "own getcwd": _act("os.getcwd = lambda: '/nowhere'", "time", ends=True),
    "own call": _act("nn.Module.__call__ = lambda s, *a: a", "torch", ends=True),
    "starts a thread": _act("threading.Thread(target=time.sleep, args=(0.2,)).start()",
        "threads"),
    "starts a daemon": _act(
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "threads"
    ),
    "starts a deaf thread": _act(
        "threading.Thread(target=time.sleep, args=(600,)).start()", "threads", ends=True
    ),
    "starts a process": _act("KEPT.append(subprocess.Popen(['sleep', '0.5']))", "files"),
    "forks": _act("if not os.fork():\n    os._exit(0)", ends=True),
    "forks on": _act("os.fork() if CALLS < 3 else None", ends=True),
    "seeds": _act("torch.manual_seed(0); np.random.seed(0); random.seed(0)"),
    "draws": _act("torch.rand(3); np.random.rand(); random.random()"),
    "default dtype": _act("torch.set_default_dtype(torch.float16)"),
    "default double": _act("torch.set_default_dtype(torch.float64)"),
    "no grad": _act("torch.set_grad_enabled(False)"),
    "on meta": _act("torch.set_default_device('meta')", "device"),
    "deterministic": _act("torch.use_deterministic_algorithms(True)"),
    "anomaly": _act("torch.autograd.set_detect_anomaly(True)"),
    "many threads": _act("torch.set_num_threads(2)"),
    "moves away": _act("os.chdir('/')"),
    "to a folder that goes": _act(
        "import tempfile; d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)"
    ),
    "environment": _act("os.environ['LDJ'] = '1'; os.environ.pop('PATH', 0)", "environment"),
    "path": _act("sys.path.clear()", "path", ends=True),
    "warnings as errors": _act("warnings.simplefilter('error')"),
    "no recursion": _act("sys.setrecursionlimit(120)", "limits", ends=True),
    "traces": _act("sys.settrace(lambda *a: None)", "limits", ends=True),
    "profiles": _act("sys.setprofile(lambda *a: None)", "limits", ends=True),
    "no collection": _act("gc.disable(); gc.collect()", "limits"),
    "numpy raises": _act("np.seterr(all='raise')", "numpy"),
    "no signals": _act(
        "[signal.signal(s, signal.SIG_IGN) for s in (2, 10, 15)]", "signals", ends=True
    ),
    "alarm": _act("signal.alarm(1)", "signals", ends=True),
    "writes a file": _act("open('left_behind.txt', 'a').write('x')", "folder"),
    "deletes itself": _act("os.path.exists(__file__) and os.remove(__file__)", "folder",
        ends=True),
    "rewrites itself": _act("open(__file__, 'w').write('x = (')", "folder", ends=True),
    "leaves files open": _act("KEPT.append(open(os.devnull))", "files"),
    "counts": _act("self.count += 1"),
    "keeps x": _act("KEPT.append(x); self.kept = x"),
    "new parameter": _act(
        "self.register_parameter('p%d' % CALLS, nn.Parameter(torch.ones(2)))"
    ),
    "parameter gone": _act("self._parameters.pop('b', None)"),
    "other dtype": _act("self.half()"),
    "learns": _act("self.a.data.add_(0.1)"),
    "resizes": _act("self.a.data = torch.zeros(2)"),
    "freezes": _act("[p.requires_grad_(False) for p in self.parameters()]"),
    "trains": _act("self.train()"),
    "hooks": _act("self.register_forward_hook(lambda *a: None)"),
    "other method": _act("type(self).there = lambda s, x: (x, x)", "class"),
    "backward": _act("x.requires_grad_(); (self.there(x)[0].real.sum()).backward()"),
    "needs no grad": _act(
        "assert not x.requires_grad; x.numpy()"
    ),
    "asks for numbers": _act("x.flatten()[0].item(); x.tolist()"),
    "looks at frames": _act(
        "f = sys._getframe()\nwhile f:\n    f.f_locals\n    f = f.f_back"
    ),
    "changes x": _act("x.zero_()"),
    "resizes x": _act("x.resize_(0)"),
    "deletes": _act("del self.a"),
    "other class": _act("self.__class__ = nn.Identity"),
    "leaves torch mode": _act("torch.inference_mode(True).__enter__()", "inference",
        ends=True),
    "logs": _act("import logging; logging.basicConfig(); logging.error('x %s', x)",
        "logging"),
}  # fmt: skip

WHENS = (
    "True", "True", "True", "CALLS == 1", "CALLS == 2", "CALLS == 3", "CALLS == 7",
    "CALLS == 20", "CALLS > 1", "CALLS > 5", "CALLS > 40", "CALLS % 2 == 0",
    "CALLS % 5 == 4", "random.random() < 0.1",
)  # fmt: skip

ODDITIES = {
    "none": "",
    "no repr": """
        def __repr__(self):
            raise RuntimeError("no repr")
    """,
    "long repr": """
        def __repr__(self):
            return "\\x1b[31m\\n" * 3000 + "\\ud800"
    """,
    "repr is no text": """
        def __repr__(self):
            return 3
    """,
    "no copy": """
        def __deepcopy__(self, memo):
            raise TypeError("there is one of me")
        def __reduce_ex__(self, protocol):
            raise TypeError("there is one of me")
    """,
    "copies are others": """
        def __deepcopy__(self, memo):
            return nn.Identity()
    """,
    "copies are none": """
        def __deepcopy__(self, memo):
            return None
    """,
    "equals nothing": """
        def __eq__(self, other):
            raise RuntimeError("do not compare")
        __hash__ = None
    """,
    "equals all": """
        def __eq__(self, other):
            return True
        def __hash__(self):
            return 1
    """,
    "no truth": """
        def __bool__(self):
            raise RuntimeError("undecided")
        def __len__(self):
            raise RuntimeError("endless")
    """,
    "endless": """
        def __iter__(self):
            while True:
                yield self
        def __len__(self):
            return 2 ** 62
        def __getitem__(self, at):
            return self
    """,
    "has everything": """
        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return lambda *a, **k: None
    """,
    "has no attributes": """
        def __getattr__(self, name):
            raise RuntimeError(name)
    """,
    "cannot be set": """
        def __setattr__(self, name, value):
            if "count" in self.__dict__:
                raise RuntimeError("frozen")
            super().__setattr__(name, value)
    """,
    "property raises": """
        @property
        def inverse(self):
            raise RuntimeError("not yet fitted")
        @property
        def shape(self):
            raise ValueError("none")
    """,
    "lies about its class": """
        @property
        def __class__(self):
            return dict
    """,
    "dir raises": """
        def __dir__(self):
            raise RuntimeError("look elsewhere")
        @property
        def __dict__(self):
            raise RuntimeError("nothing here")
    """,
    "strange notes": """
        forward: "no.such[type" = None if "forward" not in vars() else forward
        __doc__ = 3
        __module__ = None
    """,
    "own signature": """
        __signature__ = 3
        __text_signature__ = "(("
        __wrapped__ = None
    """,
    "modules raise": """
        def modules(self):
            raise RuntimeError("no modules")
        def parameters(self, recurse=True):
            raise RuntimeError("no parameters")
    """,
    "train raises": """
        def train(self, mode=True):
            raise RuntimeError("never")
    """,
    "holds itself": """
        def extra(self):
            pass
        me = property(lambda self: self)
        cycle = []
        cycle.append(cycle)
    """,
    "state raises": """
        def state_dict(self, *args, **kwargs):
            raise RuntimeError("secret")
        def __getstate__(self):
            raise RuntimeError("secret")
    """,
    "without gradients": """
        __call__ = torch.no_grad()(nn.Module.__call__)
    """,
    "in inference": """
        __call__ = torch.inference_mode()(nn.Module.__call__)
    """,
    "async": """
        async def forward(self, x):
            return self.step(x)
    """,
    "generator": """
        def forward(self, x):
            yield self.step(x)
    """,
    "declares sizes": """
        in_features = 10 ** 9
        dim = -3
        features = float("nan")
        event_dim = "two"
        in_channels = None
    """,
    "slots": """
        __slots__ = ("extra",)
    """,
}

BASES = ("nn.Module", "nn.Module", "nn.Module", "nn.Module", "object",
    "torch.distributions.Transform", "nn.Sequential", "nn.ModuleList", "dict", "Tensor",
    "torch.autograd.Function", "type", "tuple", "nn.Linear",
    "torch.distributions.Distribution")  # fmt: skip
PARAMETERS = ("", "", "", "", ", dims=3", ", dims", ", *layers", ", dims: int = 'x'",
    ", *, flow=None", ", depth=[1, 2]")  # fmt: skip
DECORATORS = ("",) * 8 + (
    "@dataclasses.dataclass\n", "@torch.no_grad()\n", "@(lambda c: c())\n",
    "@(lambda c: None)\n", "@__import__('functools').lru_cache\n",
)  # fmt: skip
DTYPES = {
    "": "",
    "float64": "torch.float64",
    "float16": "torch.float16",
    "bfloat16": "torch.bfloat16",
    "complex64": "torch.complex64",
}


class Source(NamedTuple):
    """The names of the pieces of a layer."""

    map: str = "affine"
    convention: str = "pair"
    returns: str = ""
    act: str = "nothing"
    when: str = "True"
    oddity: str = "none"
    base: str = "nn.Module"
    parameters: str = ""
    decorator: str = ""
    dtype: str = ""

    def text(self) -> str:
        """Return the module that holds the layer."""
        dtype = DTYPES[self.dtype]
        return HEAD.format(
            when=self.when,
            act=indent(ACTS[self.act].source, " " * 8),
            returns=self.returns,
            returned=self.returns or "r",
            base=self.base,
            decorated=self.decorator,
            parameters=self.parameters,
            made=f", dtype={dtype}" if dtype else "",
            cast=f".to({dtype})" if dtype else "",
            cast_w=f"\n        self.w.data = self.w.data.to({dtype})" if dtype else "",
            map=indent(dedent(MAPS[self.map]), "    "),
            convention=indent(dedent(CONVENTIONS[self.convention]), "    "),
            oddity=indent(dedent(ODDITIES[self.oddity]), "    "),
        ).lstrip()
