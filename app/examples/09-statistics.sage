# %% [markdown]
# # Data and statistics
# %% [markdown]
# ## Mean and deviation
# %%
import numpy
data = numpy.array([2.1, 3.4, 1.9, 4.4, 3.3])
data.mean(), numpy.median(data), data.std(ddof=1)
# %% [markdown]
# ## Fit a curve to data
# %%
var('a b')
model(x) = a*x + b
data = [(1, 2.1), (2, 3.9), (3, 6.2), (4, 7.8)]
find_fit(data, model)
# %% [markdown]
# ## Random numbers
# With a seed they are the same each time.
# %%
set_random_seed(7)
[randint(1, 6) for _ in range(10)], random()
# %% [markdown]
# ## Histogram
# %%
import numpy
set_random_seed(7)
histogram([sum(random() for _ in range(12)) - 6 for _ in range(2000)], bins=30)
# %% [markdown]
# ## Normal distribution
# %%
T = RealDistribution('gaussian', 1)
show(T.plot((-4, 4), figsize=(5, 3)))
T.cum_distribution_function(1.96)
# %% [markdown]
# ## Table
# %%
table([(n, n^2, factor(n)) for n in range(2, 8)], header_row=['n', 'square', 'factors'])
# %% [markdown]
# ## Numerical arrays
# NumPy and SciPy work with Sage's numbers turned into Python's.
# %%
import numpy
numpy.linalg.solve(numpy.array([[2.0, 1.0], [1.0, 3.0]]), numpy.array([3.0, 5.0]))
