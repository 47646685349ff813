# Reference values for sbwork.stats.means and its neighbours. Run from the folder that holds
# this file: Rscript means.R. Packages: effectsize, sandwich, survey, emmeans, jsonlite.
suppressPackageStartupMessages({
  library(effectsize); library(sandwich); library(survey); library(emmeans); library(jsonlite)
})

# Small whole numbers from a fixed rule, so that the tests can make the same data.
make <- function(n, a, b, shift) 1 + ((a * seq_len(n)^2 + b * seq_len(n)) %% 29) / 7 + shift
cells <- list(
  treated_before = make(41, 3, 5, 0), treated_after = make(37, 7, 2, 0.6),
  control_before = make(52, 5, 11, 0.1), control_after = make(29, 2, 9, 0.2)
)
weigh <- function(n) 0.5 + ((seq_len(n) * 13) %% 17) / 10
frame <- do.call(rbind, lapply(names(cells), function(name) data.frame(
  y = cells[[name]], treated = as.numeric(startsWith(name, "treated")),
  after = as.numeric(endsWith(name, "after")), w = weigh(length(cells[[name]])), cell = name
)))

two <- function(test) list(
  t = unname(test$statistic), df = unname(test$parameter), p = test$p.value,
  low = test$conf.int[1], high = test$conf.int[2]
)
treated <- frame[frame$treated == 1, ]
treated$wave <- factor(treated$after, levels = c(1, 0))
g <- hedges_g(y ~ wave, data = treated)

did <- function(weights) {
  frame$use <- if (is.null(weights)) 1 else weights
  fit <- lm(y ~ treated * after, data = frame, weights = use)
  list(estimate = unname(coef(fit)[4]), se = sqrt(vcovHC(fit, type = "HC2")[4, 4]))
}

# Welch and Satterthwaite's degrees of freedom of a sum of four means, from the textbook formula.
parts <- sapply(cells, var) / sapply(cells, length)
df_did <- sum(parts)^2 / sum(parts^2 / (sapply(cells, length) - 1))
se_did <- sqrt(sum(parts))
estimate_did <- did(NULL)$estimate
tost <- max(
  pt((estimate_did + 0.4) / se_did, df_did, lower.tail = FALSE),
  pt((estimate_did - 0.4) / se_did, df_did)
)

# The standardised difference in differences: pooled spread by emmeans' model, noncentral t.
fit <- lm(y ~ cell, data = frame)
means <- emmeans(fit, "cell")
order <- as.character(summary(means)$cell)
signs <- c(control_after = -1, control_before = 1, treated_after = 1, treated_before = -1)
contrast_did <- as.data.frame(contrast(means, list(did = unname(signs[order]))))
width <- sqrt(sum(1 / sapply(cells, length)))
df <- df.residual(fit)
correction <- exp(lgamma(df / 2) - log(sqrt(df / 2)) - lgamma((df - 1) / 2))
noncentral <- function(p) uniroot(
  function(nc) pt(contrast_did$t.ratio, df, nc) - p, c(-20, 20), tol = 1e-12
)$root
standardised <- correction * width * c(contrast_did$t.ratio, noncentral(0.975), noncentral(0.025))

n <- 60
linked <- data.frame(before = make(n, 3, 4, 0), treated = rep(0:1, n / 2))
linked$after <- 1 + 0.5 * linked$before + 0.3 * linked$treated + make(n, 11, 6, -2) / 3
linked$w <- weigh(n)
ancova <- function(weights) {
  linked$use <- if (is.null(weights)) 1 else weights
  fit <- lm(after ~ before + treated, data = linked, weights = use)
  se <- sqrt(vcovHC(fit, type = "HC2")[3, 3])
  b <- unname(coef(fit)[3])
  list(estimate = b, se = se, p = 2 * pt(-abs(b / se), n - 3),
       low = b - qt(.975, n - 3) * se, high = b + qt(.975, n - 3) * se)
}

mean_fit <- lm(y ~ 1, data = treated, weights = w)
p <- c(.01, .04, .03, .005, .2, .2, .011, .9)

result <- list(
  mtcars_welch = two(t.test(mpg ~ factor(am, levels = 1:0), data = mtcars)),
  mtcars_student = two(t.test(mpg ~ factor(am, levels = 1:0), data = mtcars, var.equal = TRUE)),
  mtcars_g = unlist(hedges_g(mpg ~ factor(am, levels = 1:0), data = mtcars)[c(1, 3, 4)]),
  mtcars = list(mpg = mtcars$mpg, am = mtcars$am),
  welch = two(t.test(y ~ wave, data = treated)),
  student = two(t.test(y ~ wave, data = treated, var.equal = TRUE)),
  g = unlist(g[c(1, 3, 4)]),
  did = did(NULL), did_weighted = did(frame$w), df_did = df_did, tost = tost,
  did_pooled = list(estimate = contrast_did$estimate, t = contrast_did$t.ratio, df = df),
  standardised = standardised,
  ancova = ancova(NULL), ancova_weighted = ancova(linked$w),
  weighted_mean = list(
    mean = unname(coef(mean_fit)), se = sqrt(vcovHC(mean_fit, type = "HC2")[1, 1]),
    survey_se = as.numeric(SE(svymean(~y, svydesign(~1, weights = ~w, data = treated)))),
    variance = unname(coef(svyvar(~y, svydesign(~1, weights = ~w, data = treated))))
  ),
  p = p, holm = p.adjust(p, "holm"), bh = p.adjust(p, "BH"),
  wilson = lapply(list(c(3, 10), c(0, 12), c(12, 12), c(81, 263)), function(x)
    as.numeric(prop.test(x[1], x[2], correct = FALSE)$conf.int)),
  share_test = prop.test(c(56, 48), c(70, 80), correct = FALSE)$p.value
)
write(toJSON(result, digits = I(15), auto_unbox = TRUE, pretty = TRUE), "means.json")
