# %% [markdown]
# # First steps
#
# This worksheet is yours: change it, run it, break it. You can always open a fresh one from the
# list of worksheets.
#
# Click into the cell below and press **Shift Enter**. It runs, and the cursor moves on.
# %%
2 + 2
# %% [markdown]
# ## Exact numbers
#
# Sage computes exactly unless you ask for decimals. Run this one, then change 1/3 into 1.0/3.
# %%
1/3 + 1/4
# %%
n(pi, digits=50)
# %% [markdown]
# ## Formulas
#
# The letter `x` is a variable from the start; others are made by `var`. The power is written
# `^`, and multiplication always needs its `*`. What is
# $\displaystyle\int x^2 \sin x \, dx$?
# %%
integral(x^2*sin(x), x)
# %%
var('a b')
expand((a + b)^5)
# %%
solve(x^2 - x - 1 == 0, x)
# %% [markdown]
# ## Plots
#
# **Try it:** draw the cosine in the same picture by adding `+ plot(cos(x), (x, 0, 2*pi), color='red')`.
# %%
plot(sin(x), (x, 0, 2*pi))
# %% [markdown]
# ## Something to move
#
# Drag the slider: the picture follows.
# %%
@interact
def wave(frequency=(1, 10)):
    show(plot(sin(frequency*x), (x, 0, 2*pi), figsize=(6, 3)))
# %% [markdown]
# ## Names stay
#
# What a cell defines is there in all others, for as long as the session lives. It ends when
# nobody has used it for long; then **Run all** computes everything again. Text and output stay
# in any case.
# %%
primes = [p for p in range(2, 60) if is_prime(p)]
print(primes)
# %%
len(primes), sum(primes)
# %% [markdown]
# ## When something goes wrong
#
# An error shows the line it comes from. **Try it:** divide by 0 instead, run it, and mend it again.
# %%
5/2
# %% [markdown]
# ## Help
#
# - **Tab** completes: click behind `fact` below and press it.
# - **Shift Tab** explains what the cursor is at. So does a question mark, as in `factor?`.
# - **Examples** below the cells has things to try, by subject.
# - **Esc** leaves a cell; then **H** lists all keys.
# %%
factor(2026)
# %% [markdown]
# ## Text
#
# Cells like this one are text. A double click opens it, **Shift Enter** closes it. Headings
# begin with `#`, and formulas stand between dollars: `$e^{i\pi} = -1$` is $e^{i\pi} = -1$.
#
# What you type is saved as you type, and **History** in the menu at the top has every version.
# Have fun!
