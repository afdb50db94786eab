# %% [markdown]
# # Numbers
# %% [markdown]
# ## Factor an integer
# Into primes, exactly.
# %%
factor(2^64 - 1)
# %% [markdown]
# ## Primes in a range
# %%
list(prime_range(100))
# %% [markdown]
# ## Is it a prime?
# Proved, not guessed.
# %%
is_prime(2^127 - 1)
# %% [markdown]
# ## Greatest common divisor
# With the numbers that make it: Bézout's identity.
# %%
g, s, t = xgcd(240, 46)
g, s, t, s*240 + t*46 == g
# %% [markdown]
# ## Compute modulo n
# %%
R = Integers(97)
R(5)^(-1), R(2)^100
# %% [markdown]
# ## Chinese remainder theorem
# A number that leaves 2 modulo 3 and 3 modulo 5.
# %%
crt(2, 3, 3, 5)
# %% [markdown]
# ## Many decimals
# %%
n(sqrt(2), digits=60)
# %% [markdown]
# ## Continued fraction
# %%
continued_fraction(pi).convergents()[:6]
# %% [markdown]
# ## Complex numbers
# %%
(1 + I)^5, abs(3 + 4*I), arg(1 + I)
# %% [markdown]
# ## Intervals that cannot lie
# The true value is within.
# %%
RIF(2).sqrt(), RBF(pi).exp()
