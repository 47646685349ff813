# Reference values for sbwork.compare.survey_planning. Run from the folder that holds this file:
# Rscript survey_plan.R. Packages: stats (power.t.test), jsonlite.
suppressPackageStartupMessages(library(jsonlite))

# People, or clusters, whose change scores are compared in two sites: power.t.test has these as
# they are. Correlation r makes the SD of a change sqrt(2 (1 - r)); clusters of m that of their
# mean sqrt(2 (1 - r) (1 + (m - 1) icc) / m).
smallest <- function(n, sd, power = .8, alpha = .05)
  power.t.test(n = n, sd = sd, power = power, sig.level = alpha, tol = 1e-12)$delta
needed <- function(delta, sd, power = .8, alpha = .05)
  ceiling(power.t.test(delta = delta, sd = sd, power = power, sig.level = alpha, tol = 1e-12)$n)

change <- function(r, m = 1, icc = 0) sqrt(2 * (1 - r) * (1 + (m - 1) * icc) / m)
linked <- list(
  r5_n150 = smallest(150, change(.5)), r75_n50 = smallest(50, change(.75)),
  r75_n400_power9 = smallest(400, change(.75), power = .9),
  r5_n150_holm4 = smallest(150, change(.5), alpha = .05 / 4),
  clusters = smallest(150 / 10, change(.5, 10, .05)),
  needed_r5 = needed(.3, change(.5)), needed_r75_holm4 = needed(.2, change(.75), alpha = .05 / 4)
)

# All others: the noncentrality of t by root, with the variance and Satterthwaite's degrees of
# freedom of a sum of independent groups written out.
errors <- function(df, power = .8, alpha = .05) uniroot(
  function(nc) pt(qt(1 - alpha / 2, df), df, nc, lower.tail = FALSE) - power, c(0, 20), tol = 1e-12
)$root
solve <- function(parts, freedom, tau = 0, pairs = 1, ...) {
  v <- sum(parts)
  df <- v^2 / sum(parts^2 / freedom)
  total <- v + 4 * tau^2 / pairs
  df <- df * (total / v)^2
  c(difference = sqrt(total) * errors(df, ...), df = df)
}

n <- c(150, 100, 80, 120)
a <- .3
stayed <- 150 * (1 - a)
attrition <- list(
  parts = rep(c(stayed * (1 / 150^2 + 1 / stayed^2 - 2 * .6 / (150 * stayed)), (150 - stayed) / 150^2), 2),
  freedom = rep(c(min(149 * stayed / 150, stayed - 1), 149 * (1 - stayed / 150)), 2)
)
refreshed <- list(
  parts = rep(c(stayed * 2 * (1 - .6) / 150^2, rep((150 - stayed) / 150^2, 2)), 2),
  freedom = rep(c(149 * stayed / 150, rep(149 * (1 - stayed / 150), 2)), 2)
)
four <- function(n, pairs = 1, deff = 1, units = n, ...) solve(
  rep(deff / n, 4 * pairs) / pairs^2, rep(units - 1, 4 * pairs), pairs = pairs, ...
)
others <- list(
  n50 = four(50), n150 = four(150), n400_pairs4 = four(400, 4),
  clusters = four(150, deff = 1 + 9 * .05, units = 15),
  weights = four(150, deff = 1.5, units = 100),
  shock = four(150, 2, tau = .1), shock_holm4 = four(400, 2, tau = .05, alpha = .05 / 4),
  unequal = solve(rep(1 / n, 2) / 4, rep(n - 1, 2), pairs = 2),
  attrition = solve(attrition$parts, attrition$freedom),
  refreshed = solve(refreshed$parts, refreshed$freedom)
)
normal <- (qnorm(.975) + qnorm(.8)) * sqrt(4 / 150)
floor_two_pairs <- (qnorm(.975) + qnorm(.8)) * sqrt(4 * .1^2 / 2)

# An earlier survey, whole numbers by a fixed rule so that the tests can make the same: two sites in
# two waves, 24 people in clusters of unlike size in each, the same people in both waves but for
# every fourth.
survey <- do.call(rbind, lapply(0:3, function(cell) {
  k <- 0:23
  data.frame(
    site = cell %/% 2, wave = cell %% 2, k = k, cluster = paste(cell, (k * k) %% 7),
    y = 1 + ((k * k) %% 7) / 4 + ((k * k) %% 7 * 5 + k * 11 + cell * 3) %% 17 / 8, w = 1 + k %% 3
  )
}))
survey$cell <- paste(survey$site, survey$wave)
mean_squares <- anova(lm(y ~ cell + cluster, data = survey))
sizes <- table(survey$cluster)
between <- mean_squares["cluster", "Mean Sq"]
within <- mean_squares["Residuals", "Mean Sq"]
typical <- (nrow(survey) - sum(sizes^2 / 24)) / mean_squares["cluster", "Df"]
before <- survey[survey$wave == 0 & survey$k %% 4 != 0, ]
after <- survey[survey$wave == 1 & survey$k %% 4 != 0, ]
left <- function(rows) resid(lm(y ~ factor(site), data = rows))
measured <- list(
  sd = sigma(lm(y ~ cell, data = survey)),
  weighting_effect = 24 * sum(survey$w[1:24]^2) / sum(survey$w[1:24])^2,
  cluster_size = sum(sizes^2) / sum(sizes),
  icc = (between - within) / (between + (typical - 1) * within),
  correlation = cor(left(before), left(after))
)

write(toJSON(
  list(measured = measured, linked = linked, others = lapply(others, as.list), normal = normal, floor = floor_two_pairs),
  digits = I(12), auto_unbox = TRUE, pretty = TRUE
), "survey_plan.json")
