# Reference values for scale comparisons with given and with raked weights. Run from the folder that
# holds this file: Rscript raked_scales.R. Packages: survey, jsonlite.
suppressPackageStartupMessages({library(survey); library(jsonlite)})
options(survey.lonely.psu = "fail")

# Made from a fixed rule, so that the tests can make the same data.
make <- function(wave, site, n, a, shift) {
  i <- seq_len(n)
  age <- c("young", "middle", "old")[1 + ((i + i %/% (4 + a)) %% 7) %% 3]
  sex <- c("f", "m")[1 + ((i * 5 + i %/% 9 + a) %% 11 > 6)]
  y <- 1 + ((a * i^2 + 5 * i) %% 29) / 9 + shift + 0.8 * (age == "old") + 0.4 * (sex == "m")
  data.frame(wave, site, age, sex, y = ifelse(i %% 13 == a, NA, y), full = y,
             w = 0.5 + ((i * 13) %% 17) / 10)
}
frame <- rbind(
  make("before", "a1", 61, 3, 0), make("after", "a1", 57, 7, 0.6),
  make("before", "a2", 48, 4, 0.2), make("after", "a2", 53, 2, 0.5),
  make("before", "c1", 72, 5, 0.1), make("after", "c1", 49, 9, 0.2)
)
frame$cell <- paste(frame$site, frame$wave)
frame$group <- paste(ifelse(frame$site == "c1", "control", "intervention"), frame$wave)
frame$one <- 1
frame$age <- factor(frame$age, c("young", "middle", "old"))
ages <- c(middle = 0.45, old = 0.25); men <- 0.49
did <- c("a1 after" = 1, "a1 before" = -1, "c1 after" = -1, "c1 before" = 1)
rise <- c("a1 after" = 1, "a1 before" = -1)
pooled <- c("a1 after" = .5, "a1 before" = -.5, "a2 after" = .5, "a2 before" = -.5,
            "c1 after" = -1, "c1 before" = 1)

# Every site and wave is raked on its own, its weights to the mean 1: one calibration whose margins
# are crossed with the cell. `strata` says what was drawn as a sample of its own.
rake_all <- function(strata, base) {
  design <- svydesign(~1, strata = strata, weights = base, data = frame)
  cells <- sort(unique(frame$cell))
  wanted <- model.matrix(~ 0 + cell + cell:age + cell:sex, frame)
  n <- table(frame$cell)[cells]
  totals <- c(setNames(n, paste0("cell", cells)),
              setNames(ages["middle"] * n, paste0("cell", cells, ":agemiddle")),
              setNames(ages["old"] * n, paste0("cell", cells, ":ageold")),
              setNames(men * n, paste0("cell", cells, ":sexm")))
  calibrate(design, ~ 0 + cell + cell:age + cell:sex, totals[colnames(wanted)], calfun = "raking",
            epsilon = 1e-13, maxit = 500)
}
number <- function(x) list(estimate = unname(coef(x)[1]), se = unname(SE(x)[1]))
# A linear model on the cells alone: its coefficients are the cells' means.
compare <- function(design, formula) {
  model <- svyglm(formula, design)
  means <- coef(model); names(means) <- sub("^(cell|group)", "", names(means))
  se <- setNames(SE(model), names(means))
  groups <- lapply(setNames(names(means), names(means)),
                   function(k) list(estimate = unname(means[k]), se = unname(se[k])))
  if (!all(names(did) %in% names(means))) return(groups)
  one <- function(k) {
    full <- setNames(rep(0, length(means)), names(coef(model))); full[match(names(k), names(means))] <- k
    number(svycontrast(model, full))
  }
  c(groups, list(rise = one(rise), did = one(did), pooled = one(pooled)))
}
strata <- function(base) svydesign(~1, strata = ~cell, weights = base, data = frame)
by_cell <- rake_all(~cell, ~one)
given_by_cell <- rake_all(~cell, ~w)

# The standardised difference in differences: linearised error over the pooled spread, noncentral t.
n <- tapply(!is.na(frame$y), frame$cell, sum)
w <- weights(by_cell)
kish <- tapply(ifelse(is.na(frame$y), 0, w), frame$cell, sum)^2 /
  tapply(ifelse(is.na(frame$y), 0, w^2), frame$cell, sum)
spread <- sapply(names(n), function(cell) {
  at <- frame$cell == cell & !is.na(frame$y); p <- w[at] / sum(w[at])
  sum(p * (frame$y[at] - sum(p * frame$y[at]))^2) * n[cell] / (n[cell] - 1)
})
means <- svyby(~y, ~cell, by_cell, svymean, na.rm = TRUE)
error <- setNames(SE(means)^2, means$cell)
stopifnot(all.equal(unname(error), unname(SE(svyglm(y ~ 0 + cell, by_cell))^2)))
four <- names(did)
df <- sum(kish[four] - 1)
sd_pooled <- sqrt(sum((kish[four] - 1) * spread[paste(four, four, sep = ".")]) / df)
factor <- sqrt(sum(error[four] / spread[paste(four, four, sep = ".")]))
t <- sum(did * coef(means)[four]) / (sd_pooled * factor)
j <- exp(lgamma(df / 2) - log(sqrt(df / 2)) - lgamma((df - 1) / 2))
root <- function(p) uniroot(function(nc) pt(t, df, nc) - p, c(-20, 20), tol = 1e-12)$root

result <- list(
  given = compare(strata(~w), full ~ 0 + cell),
  given_one_sample = compare(svydesign(~1, weights = ~w, data = frame), full ~ 0 + cell),
  raked = compare(by_cell, y ~ 0 + cell), raked_given = compare(given_by_cell, y ~ 0 + cell),
  raked_groups = compare(rake_all(~group, ~one), y ~ 0 + group),
  raked_one_sample = compare(rake_all(NULL, ~one), y ~ 0 + cell),
  weights = list(raked = unname(weights(by_cell)), raked_given = unname(weights(given_by_cell))),
  did_hedges_g = c(t, root(0.975), root(0.025)) * j * factor,
  versions = list(R = as.character(getRversion()), survey = as.character(packageVersion("survey")))
)
write_json(result, "raked_scales.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
