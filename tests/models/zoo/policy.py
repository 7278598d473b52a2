"""A tanh-squashed Gaussian policy for continuous control."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Normal

LOG_STD_MIN, LOG_STD_MAX = -5, 2


class SquashedGaussianActor(nn.Module):
    def __init__(self, obs_dim=4, act_dim=2, hidden=16, act_limit=2.0):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(obs_dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.mu_layer = nn.Linear(hidden, act_dim)
        self.log_std_layer = nn.Linear(hidden, act_dim)
        self.act_dim = act_dim
        self.act_limit = act_limit

    def distribution(self, obs):
        h = self.net(obs)
        mu = self.mu_layer(h)
        log_std = torch.tanh(self.log_std_layer(h))
        log_std = LOG_STD_MIN + 0.5 * (LOG_STD_MAX - LOG_STD_MIN) * (log_std + 1)
        return Normal(mu, torch.exp(log_std))

    def forward(self, obs):
        pi = self.distribution(obs)
        u = pi.rsample()
        logp = pi.log_prob(u).sum(dim=-1)
        logp -= (2 * (math.log(2) - u - F.softplus(-2 * u))).sum(dim=-1)
        logp -= self.act_dim * math.log(self.act_limit)
        return self.act_limit * torch.tanh(u), logp

    def log_prob(self, obs, action):
        """Log-density of an action that was taken before."""
        a = action / self.act_limit
        u = torch.atanh(a)
        logp = self.distribution(obs).log_prob(u) - torch.log(1 - a.pow(2))
        return logp.sum(dim=-1) - self.act_dim * math.log(self.act_limit)
