# %% [markdown]
# # Calculus
# %% [markdown]
# ## Derivative
# %%
diff(sin(x^2), x)
# %% [markdown]
# ## Partial derivatives
# %%
var('y')
f(x, y) = x^2*y + sin(y)
f.gradient()
# %% [markdown]
# ## Antiderivative
# %%
integral(x*exp(-x), x)
# %% [markdown]
# ## Definite integral
# %%
integral(exp(-x^2), x, -oo, oo)
# %% [markdown]
# ## Integral as a number
# With a bound of its error.
# %%
numerical_integral(sin(x^2), 0, 2)
# %% [markdown]
# ## Limit
# %%
limit(sin(x)/x, x=0), limit((1 + 1/x)^x, x=oo)
# %% [markdown]
# ## Taylor polynomial
# %%
taylor(exp(x)*cos(x), x, 0, 6)
# %% [markdown]
# ## Sum in closed form
# %%
var('k n')
sum(k^2, k, 1, n).factor()
# %% [markdown]
# ## Infinite series
# %%
var('k')
sum(1/k^2, k, 1, oo)
# %% [markdown]
# ## Differential equation
# %%
y = function('y')(x)
desolve(diff(y, x) + y == x, y)
# %% [markdown]
# ## Differential equation with initial values
# The second order: a damped oscillation.
# %%
y = function('y')(x)
solution = desolve(diff(y, x, 2) + diff(y, x)/2 + 4*y == 0, y, ics=[0, 1, 0])
plot(solution, (x, 0, 12), figsize=(6, 3))
# %% [markdown]
# ## Laplace transform
# %%
var('t s')
laplace(t*exp(-2*t), t, s)
# %% [markdown]
# ## Extrema of a function
# %%
f = x^3 - 3*x + 1
flat = [each[x] for each in solve(diff(f, x) == 0, x, solution_dict=True)]
[(place, f(x=place), diff(f, x, 2)(x=place)) for place in flat]
