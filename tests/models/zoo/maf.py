"""Masked autoregressive flow with batch norm between the layers (density estimation)."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class MaskedLinear(nn.Linear):
    def __init__(self, n_in, n_out, mask):
        super().__init__(n_in, n_out)
        self.register_buffer("mask", mask)

    def forward(self, inputs):
        return F.linear(inputs, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    def __init__(self, num_inputs, num_hidden):
        super().__init__()
        degrees = torch.arange(1, num_inputs + 1)
        hidden = torch.arange(num_hidden) % (num_inputs - 1) + 1
        first = (hidden[:, None] >= degrees[None, :]).float()
        last = (degrees[:, None] > hidden[None, :]).float()
        self.joiner = MaskedLinear(num_inputs, num_hidden, first)
        self.trunk = MaskedLinear(num_hidden, 2 * num_inputs, torch.cat([last, last]))

    def forward(self, inputs, mode="direct"):
        if mode == "direct":
            h = torch.tanh(self.joiner(inputs))
            m, a = self.trunk(h).chunk(2, 1)
            u = (inputs - m) * torch.exp(-a)
            return u, -a.sum(-1, keepdim=True)
        x = torch.zeros_like(inputs)
        for i_col in range(inputs.shape[1]):
            h = torch.tanh(self.joiner(x))
            m, a = self.trunk(h).chunk(2, 1)
            x[:, i_col] = inputs[:, i_col] * torch.exp(a[:, i_col]) + m[:, i_col]
        return x, a.sum(-1, keepdim=True)


class BatchNormFlow(nn.Module):
    def __init__(self, num_inputs, momentum=0.1, eps=1e-5):
        super().__init__()
        self.log_gamma = nn.Parameter(torch.zeros(num_inputs))
        self.beta = nn.Parameter(torch.zeros(num_inputs))
        self.momentum = momentum
        self.eps = eps
        self.register_buffer("running_mean", torch.zeros(num_inputs))
        self.register_buffer("running_var", torch.ones(num_inputs) * 1.7)

    def forward(self, inputs, mode="direct"):
        if self.training and mode == "direct":
            mean, var = inputs.mean(0), inputs.var(0, unbiased=False) + self.eps
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var, self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        log_det = (self.log_gamma - 0.5 * torch.log(var)).sum()
        log_det = log_det.expand(inputs.shape[0], 1)
        if mode == "direct":
            x_hat = (inputs - mean) / var.sqrt()
            return torch.exp(self.log_gamma) * x_hat + self.beta, log_det
        x_hat = (inputs - self.beta) / torch.exp(self.log_gamma)
        return x_hat * var.sqrt() + mean, -log_det


class Reverse(nn.Module):
    def forward(self, inputs, mode="direct"):
        return inputs.flip(1), torch.zeros(inputs.size(0), 1, device=inputs.device)


class MAF(nn.Module):
    def __init__(self, num_inputs=3, num_hidden=12, num_blocks=2):
        super().__init__()
        self.num_inputs = num_inputs
        self.flow = nn.ModuleList()
        for _ in range(num_blocks):
            self.flow.append(MADE(num_inputs, num_hidden))
            self.flow.append(BatchNormFlow(num_inputs))
            self.flow.append(Reverse())

    def forward(self, inputs, mode="direct"):
        logdets = torch.zeros(inputs.size(0), 1, device=inputs.device)
        modules = self.flow if mode == "direct" else reversed(self.flow)
        for module in modules:
            inputs, logdet = module(inputs, mode)
            logdets = logdets + logdet
        return inputs, logdets

    def log_probs(self, inputs):
        u, log_jacob = self(inputs)
        log_probs = (-0.5 * u.pow(2) - 0.5 * math.log(2 * math.pi)).sum(
            -1, keepdim=True
        )
        return log_probs + log_jacob

    def sample(self, num_samples):
        noise = torch.randn(num_samples, self.num_inputs)
        return self(noise, mode="inverse")[0]
