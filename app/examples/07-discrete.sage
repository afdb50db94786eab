# %% [markdown]
# # Graphs and combinatorics
# %% [markdown]
# ## Draw a graph
# %%
graphs.PetersenGraph().plot(figsize=4)
# %% [markdown]
# ## Make a graph of its edges
# And find the shortest way.
# %%
G = Graph([(1, 2), (2, 3), (3, 4), (4, 1), (1, 3)])
G.shortest_path(2, 4), G.degree_sequence()
# %% [markdown]
# ## Colour a graph
# So that neighbours differ.
# %%
G = graphs.PetersenGraph()
G.chromatic_number(), G.coloring()
# %% [markdown]
# ## Shortest paths with weights
# %%
G = Graph({'A': {'B': 4, 'C': 1}, 'C': {'B': 2, 'D': 5}, 'B': {'D': 1}}, weighted=True)
G.shortest_path('A', 'D', by_weight=True)
# %% [markdown]
# ## Permutations and combinations
# %%
print(Permutations(3).list())
print(Combinations(4, 2).list())
binomial(49, 6)
# %% [markdown]
# ## Partitions of a number
# %%
Partitions(5).list(), number_of_partitions(100)
# %% [markdown]
# ## Fibonacci numbers
# %%
[fibonacci(n) for n in range(15)]
# %% [markdown]
# ## Sets
# %%
A, B = Set([1, 2, 3]), Set([3, 4])
A.union(B), A.intersection(B), A.difference(B), list(A.subsets(2))
# %% [markdown]
# ## Truth table
# %%
propcalc.formula('p & (q | ~p)').truthtable()
# %% [markdown]
# ## Sudoku
# %%
S = Sudoku('4.....8.5.3..........7......2.....6.....8.4......1.......6.3.7.5..2.....1.4......')
next(S.solve())
